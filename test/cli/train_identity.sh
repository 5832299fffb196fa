# A run is resumed only with the same data, teacher and network, and from an undamaged checkpoint.
fail() {
  echo "$@"
  exit 9
}
train() {
  "$few" train "$here/moons.ini" --quiet width=8 layers=1 "$@" 2>err
}
refused() {
  sentence=$1
  shift
  train "$@"
  [ $? = 1 ] || fail "not refused: $*"
  grep -q "$sentence" err || fail "$(cat err)"
}
# A mistake that is found late is not recorded as the run's recipe.
refused "time embedding" --run slip embedding=5
train --run slip steps=2 || fail "$(cat err)"

# Teachers.
train --run a && train --run b seed=2 && cp a/model.safetensors teacher || fail "$(cat err)"
train --run student objective=scd teacher=teacher steps=20 || fail "$(cat err)"
cp b/model.safetensors teacher
refused "was trained with another teacher" --run student objective=scd teacher=teacher
cp a/model.safetensors teacher
train --run student objective=scd teacher=teacher || fail "$(cat err)"
mv teacher moved # the same bytes under another name
train --run student objective=scd teacher=moved steps=50 || fail "$(cat err)"
grep -q "teacher = moved" student/recipe.ini || fail "the recipe names the old file"
cp b/model.safetensors other
refused "was trained with another teacher" --run student objective=scd teacher=other
mkdir self && cp a/model.safetensors self
refused "is the file that this run writes" --run self objective=scd teacher=self/model.safetensors
cmp a/model.safetensors self/model.safetensors || fail "the teacher was written over"

# Data.
"$few" data toy:moons --limit 200 --n 100 --out x.npy >out &&
  train --run data data=npy:x.npy steps=20 || fail "$(cat err)"
cp x.npy y.npy && train --run data data=npy:y.npy steps=30 || fail "moved data: $(cat err)"
"$few" data toy:moons --limit 200 --n 90 --out x.npy >out
refused "was trained on other data" --run data data=npy:x.npy

# Truncated checkpoints: later ones do not replace good ones, and if none can be read, the run does
# not start again.
train --run c steps=40 checkpoint_every=20
: >c/checkpoint-000000060.safetensors
: >c/checkpoint-000000080.safetensors
train --run c steps=50 checkpoint_every=10 || fail "$(cat err)"
grep -q "few: warning" err || fail "no warning"
test -s c/checkpoint-000000050.safetensors || fail "the new checkpoint went"
for file in c/checkpoint-*; do : >$file; done
refused "has checkpoints, but none can be read" --run c steps=60

# Paths of more than 1,200 bytes are accepted, and an error about one still ends with what to do.
long=$PWD
for _ in 1 2 3 4 5 6 7 8 9 10; do
  long=$long/$(printf '%0200d' 0)
  mkdir "$long"
done
cp "$here/moons.ini" "$long/moons.ini"
"$few" train "$long/moons.ini" --run long --quiet width=8 layers=1 steps=2 2>err ||
  fail "$(cat err)"
test -s long/model.safetensors || fail "no model of a long path"
"$few" show "$long/none.safetensors" 2>err && fail "there is no such file"
grep -q "none.safetensors: No such file or directory: check the path" err || fail "$(cat err)"
exit 0
