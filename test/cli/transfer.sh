# From images to noise, and to other images. Impossible requests are refused with a sentence.
fail() {
  echo "$@"
  exit 9
}
"$few" train "$here/tiny-unet.ini" --run teacher --quiet || {
  test -e /usr/share/datasets/fashion-mnist && fail "no teacher"
  echo "note: dataset-fashion-mnist is not installed: skipped" >&2
  exit 0
}
teacher=teacher/model.safetensors
encoder=encoder/model.safetensors
"$few" train "$here/tiny-unet.ini" --run encoder --quiet objective=progressive direction=encode \
  start=8 end=4 \
  teacher=$teacher preview_every=4 || fail "no encoder"
"$few" show $encoder | grep -q "from images to noise" || fail "an encoder is not known as one"

"$few" data fashion-mnist --n 20 --out clothes.npy >/dev/null || fail "no images"
"$few" encode $encoder clothes.npy --out noise.npy --json | tr -d ' \n' >said || fail "not encoded"
grep -q '"n":20,"nfe":4,' said || fail "$(cat said)"
test "$(wc -c <noise.npy)" = $((128 + 20 * 784 * 4)) || fail "noise of another size"
"$few" encode $encoder fashion-mnist --n 20 --label none --out other.npy --quiet || fail "no spec"
cmp -s noise.npy other.npy || fail "a data set is not its images" # no labels in clothes.npy

# One image, a folder of images and an array give the same result.
"$few" sample $teacher --n 3 --steps 2 --out folder --quiet || fail "no folder"
"$few" transfer $teacher $teacher folder --to 7 --to-guidance 2 --from-steps 3 --to-steps 3 \
  --out out \
  --quiet || fail "no folder in"
"$few" transfer $teacher $teacher folder/000000.png folder/000001.png --to 7 --to-guidance 2 \
  --from-steps 3 \
  --to-steps 3 --out two --quiet || fail "no files in"
cmp out/000001.png two/000001.png || fail "a folder is not its files"
"$few" transfer $encoder $teacher clothes.npy --n 5 --from 1 --to-steps 2 --beside --columns 2 \
  --out grid.png ||
  fail "no grid"
"$few" transfer $teacher $teacher clothes.npy --n 5 --from-steps 2 --to-steps 2 --out array.npy \
  --quiet ||
  fail "no array"

# Both images of a pair are in the same row, so 6 images have 4 columns and not 3.
for columns in 0 4; do
  "$few" transfer $encoder $teacher clothes.npy --n 3 --to-steps 2 --beside --columns $columns \
    --out pairs-$columns.png \
    --quiet || fail "no pairs"
done
cmp pairs-0.png pairs-4.png || fail "a pair is cut"

refused() {
  words=$1
  shift
  "$few" "$@" 2>err && fail "not refused: $*"
  grep -q "$words" err || fail "$(cat err)"
}
refused "use few encode" sample $encoder --out x.png
refused "use few encode" transfer $teacher $encoder clothes.npy --out x.png
refused "leads only from noise to images" encode "$here/../../models/fashion-student.safetensors" \
  clothes.npy --out x.npy
refused "npy file" encode $teacher clothes.npy --out x.png
refused "is not a class" transfer $teacher $teacher clothes.npy --to sneakr --out x.png
refused "but the model takes" encode "$here/../../models/toy-teacher.safetensors" clothes.npy \
  --out x.npy
refused "neither a folder, a zip archive nor an image" encode $teacher folder:missing --out x.npy
refused "needs" transfer $teacher $teacher --out x.png
exit 0
