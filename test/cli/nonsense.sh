# Options that would have no effect, or another effect than intended, are refused or cause a
# warning, which says what to do.
fail() {
  echo "$@"
  exit 9
}
refused() {
  words=$1
  shift
  "$few" "$@" 2>err >out && fail "not refused: $*"
  grep -q "$words" err || fail "$*: $(cat err)"
}
warned() {
  words=$1
  shift
  "$few" "$@" 2>err >out || fail "$*: $(cat err)"
  grep -q "warning: .*$words" err || fail "$*: no warning: $(cat err)"
}
unet="$here/tiny-unet.ini"
moons="$here/moons.ini"
refused "attention = 7: no level has this side; the levels have 28, 14" train "$unet" --run a \
  attention=7
refused "attention = 7: no level has this side; the levels have 28, 14" train "$unet" --run a \
  attention=14,7
refused "attention = 7: no level" check --init "$unet" attention=7
refused "of that level are not a multiple of its 3 heads" train "$unet" --run a mults=1,4 \
  channels=7 head_channels=9
refused "lowest level has side 14: raise dropout_side" train "$unet" --run a dropout_side=4
refused "size = 32, but its images are 28x28: size is for folders" train "$unet" --run a size=32
refused "channels = 3, but it has 1" train "$unet" --run a channels_in=3
refused "size = 8, but its points are 1x1" train "$moons" --run a size=8
warned "no level has the side attention = 16, the default (sides: 28, 14)" train "$unet" --run b \
  attention=16 steps=1
warned "preview_every = 1: a preview samples 64 points with 99 network evaluations each, .* \
times the training between two previews" \
  train "$moons" --run g steps=1 preview_every=1 preview_steps=50
"$few" train "$unet" --run h attention=1 steps=1 2>err >out || fail "1 is none: $(cat err)"
grep -q "attention" err && fail "1 is none: $(cat err)"
# An existing run is resumed nevertheless.
"$few" train "$unet" --run b attention=16 steps=2 2>err || fail "not resumed: $(cat err)"
warned "pairs = 5 does nothing: no objective of this run learns from pairs" train "$moons" --run c \
  steps=1 pairs=5 \
  fake_updates=2 lr_floor=0.1 preview_n=4 eval_n=3 flip=yes ema=100 ema_power=0.1
for key in "fake_updates = 2" "lr_floor = 0.1" "preview_n = 4" "eval_n = 3" "flip = yes" \
  "ema = 100"; do
  grep -q "$key does nothing" err || fail "$key: $(cat err)"
done
# Names of the wrong kind of file or of options that do not exist.
refused "c is a training run: give c/model.safetensors" sample c --out a.png
refused "sampler heun has no option .nonsense.: .few list samplers heun. shows" sample \
  c/model.safetensors \
  --set nonsense=1 --out a.npy
refused "sampler consistency has no option .churn." sample c/model.safetensors \
  --sampler consistency --set churn=1 \
  --out a.npy
mkdir -p up/here
cp c/model.safetensors up/model.safetensors
cp "$moons" up/here/moons.ini
"$few" train up/here/moons.ini --run f steps=1 objective=direct pairs=8 teacher=model.safetensors \
  2>err >out || fail "$(cat err)"
grep -q "teacher: there is no model.safetensors here: up/here/../model.safetensors, beside the \
recipe's folder, is taken" err ||
  fail "another teacher is taken in silence: $(cat err)"
# There is no warning about keys that have an effect, that are off, or that have their default in a
# resolved recipe.
"$few" train "$moons" --run d steps=1 lr_shape=cosine lr_floor=0.1 preview_every=0 preview_n=4 \
  eval_every=0 \
  eval_n=3 ema=100 ema_ramp=0.1 2>err >out || fail "$(cat err)"
grep -q "does nothing" err && fail "$(cat err)"
"$few" train d/recipe.ini --run e 2>err >out || fail "$(cat err)"
grep -q "does nothing" err && fail "$(cat err)"
exit 0
