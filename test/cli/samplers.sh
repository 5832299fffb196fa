# With every sampler an image depends only on the seed and its index: the same bytes in any batch,
# for any number of workers, in any series. Unsupported options are refused with a sentence.
fail() {
  echo "$@"
  exit 9
}
"$few" train "$here/moons.ini" --run run --quiet || fail "no teacher"
m=run/model.safetensors
for sampler in $("$few" list samplers | sed -n 's/^  \([a-z0-9]*\)  .*/\1/p'); do
  case $sampler in
  shortcut | segments | flowmap) continue ;; # they need a model with a step size
  olss) continue ;;                          # olss.sh
  esac
  "$few" sample $m --sampler "$sampler" --n 40 --seed 3 --steps 3 --out a.npy --quiet --workers 1 ||
    fail "$sampler: no samples"
  "$few" sample $m --sampler "$sampler" --n 40 --seed 3 --steps 3 --out b.npy --quiet --workers 3 \
    --batch 7 || fail "$sampler: no samples"
  cmp a.npy b.npy || fail "$sampler: other bytes with other batches"
  "$few" sample $m --sampler "$sampler" --n 30 --first 10 --seed 3 --steps 3 --out b.npy --quiet ||
    fail "$sampler: no samples"
  tail -c 240 a.npy >a.tail
  tail -c 240 b.npy >b.tail
  cmp a.tail b.tail || fail "$sampler: --first 10 gives others"
done
"$few" sample $m --sampler shortcut --out a.npy 2>err && fail "shortcut of a teacher"
grep -q "average velocity" err || fail "$(cat err)"
s=$here/../../models/fashion-student.safetensors
"$few" sample "$s" --sampler ddim --n 1 --steps 1 --out x.png 2>err >/dev/null ||
  fail "a solver of a student"
grep -q "learned the jumps of consistency" err || fail "no warning: $(cat err)"
test $(grep -c warning err) = 1 || fail "$(cat err)"
"$few" sample "$s" --n 1 --steps 1 --guidance 2 --out x.png 2>err &&
  fail "guided without unlabelled rows"
grep -q "label_dropout = 0" err || fail "$(cat err)"
"$few" train "$here/moons.ini" --run student --quiet objective=scd teacher=$m steps=2 \
  tangent_warmup=1 \
  label_dropout=0.1 || fail "no student"
"$few" sample student/model.safetensors --n 1 --steps 1 --guidance 2 --out x.npy 2>err >/dev/null ||
  fail "no guided sample"
grep -q "warning: guidance 2 extrapolates the jumps of this model (scd).*guidance_max = 2" err ||
  fail "$(cat err)"
"$few" olss "$s" --steps 2 --full 10 --out x.json 2>err && fail "a schedule for jumps"
grep -q "has only learned the jumps of consistency: take its teacher" err || fail "$(cat err)"
"$few" check "$s" --straightness 2>err && fail "the straightness of jumps"
grep -q "has only learned the jumps of consistency: take its teacher" err || fail "$(cat err)"
"$few" sample "$s" --n 1 --steps 1 --out x.png 2>err >/dev/null || fail "no samples"
grep -q warning err && fail "$(cat err)"
"$few" sample $m --sampler ddpm --set eta=0 --steps 20 --out a.npy --quiet || fail "no samples"
"$few" sample $m --sampler ddpm --set eta=1 --steps 20 --out b.npy --quiet || fail "no samples"
cmp -s a.npy b.npy && fail "no noise in ddpm"
"$few" sample $m --autoguide $m --autoguidance 3 --sampler ddim --steps 3 --out a.npy --quiet ||
  fail "no samples"
"$few" sample $m --sampler ddim --steps 3 --out b.npy --quiet || fail "no samples"
cmp a.npy b.npy || fail "guided away from itself, and moved"
"$few" sample $m --guidance-times 1 --out a.npy 2>err
[ $? = 2 ] || fail "half an interval"
"$few" sample $m --guidance-times 0,1 --out a.npy 2>err
[ $? = 2 ] || fail "an interval of no guidance"
"$few" sample $m --autoguidance 3 --out a.npy 2>err
[ $? = 2 ] || fail "autoguidance by no model"
exit 0
