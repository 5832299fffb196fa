# Networks conditioned on the step size: the same bits for any number of workers, sampling in the
# steps that they have learned, and errors before training.
fail() {
  echo "$@"
  exit 9
}
refused() { # WORDS KEY=VALUE...
  words=$1
  shift
  "$few" train "$here/moons.ini" --run no --quiet "$@" 2>err && fail "$@: trained"
  grep -q "$words" err || fail "$*: $(cat err)"
  [ -e no/log.jsonl ] && fail "$*: refused late"
  rm -rf no
}
"$few" train "$here/moons.ini" --run t --quiet steps=2 || fail "no teacher"
for objective in shortcut meanflow scd-segments flowmap; do
  extra=
  case $objective in scd-segments | flowmap)
    extra="teacher=t/model.safetensors tangent_warmup=1"
    ;;
  esac
  for workers in 1 3; do
    "$few" train "$here/moons.ini" --run $objective$workers --quiet --workers $workers \
      objective=$objective steps=4 $extra || fail "$objective: not trained"
  done
  cmp ${objective}1/model.safetensors ${objective}3/model.safetensors ||
    fail "$objective: other bits"
  "$few" sample ${objective}1/model.safetensors --n 20 --out a.npy --quiet ||
    fail "$objective: no samples"
done
for steps in 1 2 4 128; do
  "$few" sample shortcut1/model.safetensors --steps $steps --n 20 --out a.npy --quiet ||
    fail "$steps"
done
"$few" sample shortcut1/model.safetensors --steps 3 --out a.npy 2>err && fail "3 steps"
grep -q "1, 2, 4 .. 128 steps" err || fail "$(cat err)"
"$few" sample scd-segments1/model.safetensors --steps 3 --out a.npy 2>err && fail "3 segments"
grep -q "in 4 steps" err || fail "$(cat err)"
"$few" sample meanflow1/model.safetensors --steps 3 --n 20 --out a.npy --quiet ||
  fail "3 steps of meanflow"
"$few" sample flowmap1/model.safetensors --steps 3 --n 20 --out a.npy --quiet ||
  fail "3 steps of flowmap"
"$few" sample flowmap1/model.safetensors --steps 3 --n 20 --out b.npy --quiet --set gamma=0.5 ||
  fail "gamma of flowmap"
cmp -s a.npy b.npy && fail "no noise with gamma"
"$few" sample t/model.safetensors --sampler shortcut --out a.npy 2>err && fail "a field, as steps"
for form in eulerian lagrangian terminal semigroup; do
  for workers in 1 3; do
    "$few" train "$here/moons.ini" --run $form$workers --quiet --workers $workers steps=4 \
      objective=flowmap form=$form from=self target=average diagonal=0.5 tangent_warmup=1 ||
      fail "$form: not trained without a teacher"
  done
  cmp ${form}1/model.safetensors ${form}3/model.safetensors || fail "$form: other bits"
done
refused "diagonal = 0.5" objective=flowmap from=self form=lagrangian
refused "diagonal = 0.5" objective=flowmap teacher=t/model.safetensors form=semigroup
refused "form = lagrangian" objective=flowmap teacher=t/model.safetensors form=terminal
refused "evaluates no teacher" objective=flowmap from=self diagonal=0.5 guidance_max=2
refused "distils a teacher" objective=flowmap
refused "not a power of two" objective=shortcut steps_max=96
refused "bootstrap" objective=shortcut bootstrap=0
refused "label" objective=shortcut guidance=2 labels=no
refused "label_dropout = 0.1" objective=shortcut guidance=2
refused "label" objective=meanflow omega=2 labels=no
refused "128 steps" objective=shortcut preview_every=1 preview_steps=3
refused "objective shortcut cannot train" objective=shortcut net=convnet
refused "trained by diffusion" objective=scd teacher=shortcut1/model.safetensors
exit 0
