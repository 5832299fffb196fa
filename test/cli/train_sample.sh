# Trains a teacher and a student on points and samples them. The same seed gives the same bytes in
# any batch, for any number of workers, and in any part of a series.
fail() {
  echo "$@"
  exit 9
}
"$few" train "$here/moons.ini" --run teacher --quiet || fail "no teacher"
"$few" train "$here/moons.ini" --run student --quiet objective=scd \
  teacher=teacher/model.safetensors steps=10 || fail "no student"
for run in teacher student; do
  m=$run/model.safetensors
  "$few" sample $m --n 50 --seed 3 --steps 2 --out a.npy --workers 1 --json || fail "no samples"
  for how in "--batch 7 --workers 2" "--batch 1" "--batch 64 --workers 3"; do
    # shellcheck disable=SC2086  # words
    "$few" sample $m --n 50 --seed 3 --steps 2 --out b.npy $how --quiet || fail "no samples"
    cmp a.npy b.npy || fail "$run: other bytes with $how"
  done
  "$few" sample $m --n 50 --seed 4 --steps 2 --out b.npy --quiet || fail "no samples"
  if cmp -s a.npy b.npy; then fail "$run: the same bytes from another seed"; fi
  # Samples 20 .. 49 equal those of the whole series: the last 30 points of two floats in its file.
  "$few" sample $m --n 30 --first 20 --seed 3 --steps 2 --out b.npy --quiet || fail "no samples"
  tail -c 240 a.npy >a.tail
  tail -c 240 b.npy >b.tail
  cmp a.tail b.tail || fail "$run: --first 20 gives others"
done
"$few" sample student/model.safetensors --n 4 --out points --quiet 2>/dev/null &&
  fail "points as a folder of images"
"$few" sample student/model.safetensors --out a.npy --label moon 2>/dev/null &&
  fail "a label that is none"
"$few" sample student/model.safetensors --out a.npy --sampler heum 2>/dev/null && fail "a sampler"
# The JSON has the number of steps. The name of another kind of image file is not a folder.
"$few" sample student/model.safetensors --n 1 --out a.npy --json || fail "no samples"
"$few" sample student/model.safetensors --out a.jpg 2>/dev/null
test $? = 2 || fail "an ending that few does not write"
"$few" sample teacher/log.jsonl --out a.npy 2>/dev/null && fail "a log as a model"
exit 0
