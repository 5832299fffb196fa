# Training with augmentation: the same bits for any number of workers and after kill -9; augment = 0
# is the run without the key; and what it cannot be combined with.
fail() {
  echo "$*" >&2
  exit 1
}
printf '\000\000\010\003\000\000\000\040\000\000\000\010\000\000\000\010' >images
seq 1 1000 | tr -d '\n' | head -c 2048 >>images
cat >small.ini <<'END'
data = idx:images
net = unet
channels = 4
mults = 1, 2
blocks = 1
attention = 4
head_channels = 4
dropout = 0.1
steps = 8
batch = 12
shards = 6
ema = 100
log_every = 2
checkpoint_every = 2
END
train() {
  run=$1
  shift
  "$few" train small.ini --run "$run" --quiet "$@" 2>err
}
train plain || fail "$(cat err)"
train zero augment=0 || fail "$(cat err)"
cmp plain/model.safetensors zero/model.safetensors || fail "augment = 0 changes a run"
train whole augment=0.4 workers=1 || fail "$(cat err)"
train other augment=0.4 workers=3 || fail "$(cat err)"
cmp whole/model.safetensors other/model.safetensors || fail "the number of workers matters"
for wait in 0.05 0.1 0.2; do
  "$few" train small.ini --run killed --quiet augment=0.4 &
  sleep $wait
  kill -9 $! 2>/dev/null
  wait $! 2>/dev/null
done
train killed augment=0.4 || fail "$(cat err)"
cmp whole/model.safetensors killed/model.safetensors || fail "other bytes after kill -9"
train whole augment=0.3 && fail "resumed with another augment"
grep -q "was run with augment = 0.4" err || fail "$(cat err)"

"$few" show whole/model.safetensors |
  grep -q "^augment     13 labels in training, 0 in sampling$" ||
  fail "$("$few" show whole/model.safetensors)"
"$few" sample whole/model.safetensors --n 2 --steps 2 --out x.npy >said || fail "not sampled"
"$few" check whole/model.safetensors >said || fail "$(cat said)"

# From a model without labels, and back.
train tuned augment=0.2 init=plain/model.safetensors || fail "$(cat err)"
train again init=whole/model.safetensors || fail "$(cat err)"
train student augment=0.2 objective=scd teacher=whole/model.safetensors || fail "$(cat err)"

refused() {
  words=$1
  shift
  train refused "$@" && fail "trained: $*"
  grep -q "$words" err || fail "$(cat err)"
}
refused "teacher plain/model.safetensors was trained without augmentation" \
  augment=0.2 objective=scd teacher=plain/model.safetensors
refused "objective vsd does not learn from images of the data alone: leave augment out" \
  augment=0.2 "objective=scd + vsd" teacher=whole/model.safetensors
"$few" train "$here/moons.ini" --run refused --quiet augment=0.2 2>err && fail "trained points"
grep -q "toy:moons are points, and only images are augmented" err || fail "$(cat err)"
refused "`augment` cannot be `2`" augment=2
train warned augment=0.2 flip=yes steps=2 || fail "$(cat err)"
grep -q "flip = yes mirrors images without a label" err || fail "$(cat err)"
train warned-too augment_scale=2 steps=2 || fail "$(cat err)"
grep -q "augment_scale = 2 does nothing: there is no augmentation: give augment" err ||
  fail "$(cat err)"
exit 0
