# An output that cannot be written is refused before the sampling.
fail() {
  echo "$@"
  exit 9
}
model="$here/../../models/fashion-student.safetensors"
: >file
mkdir folder.png
for out in file folder.png nowhere/x.png nowhere/x.npy file/x.png; do
  "$few" sample "$model" --n 1000000 --out $out 2>err
  [ $? = 1 ] || fail "$out is not refused"
  grep -q "few: $out " err || fail "$(cat err)"
done
"$few" sample "$model" --n 1 --steps 1 --out new/folder --quiet || fail "no new folder"
test -s new/folder/000000.png || fail "no image in it"

# A folder that has images is refused, since it would have old and new images.
"$few" sample "$model" --n 3 --steps 1 --out new/folder 2>err && fail "older images are not seen"
grep -q "new/folder is not empty, .* --existing replace or --existing keep" err || fail "$(cat err)"
"$few" sample "$model" --n 2 --first 1 --steps 1 --out new/folder --existing keep --quiet ||
  fail "not added"
[ "$(ls new/folder | tr '\n' ' ')" = "000000.png 000001.png 000002.png " ] ||
  fail "$(ls new/folder)"
"$few" sample "$model" --n 1 --first 7 --steps 1 --out new/folder --existing replace --quiet ||
  fail "not replaced"
[ "$(ls new/folder)" = 000007.png ] || fail "$(ls new/folder)"
: >new/folder/mine.png
"$few" sample "$model" --n 1 --steps 1 --out new/folder --existing replace 2>err &&
  fail "mine is not seen"
grep -q "has mine.png in it, which few did not write" err || fail "$(cat err)"
[ "$(ls new/folder | tr '\n' ' ')" = "000007.png mine.png " ] || fail "$(ls new/folder)"
mkdir empty && : >empty/.hidden
"$few" sample "$model" --n 1 --steps 1 --out empty --quiet || fail "an empty folder is refused"
"$few" transfer "$model" "$model" empty --out new/folder 2>err && fail "transfer does not see them"
grep -q "transfer: new/folder is not empty" err || fail "$(cat err)"
"$few" train "$here/moons.ini" --run run --quiet steps=1
"$few" sample run/model.safetensors --n 4 --out points 2>err && fail "points in a folder"
grep -q "points cannot be written as images" err || fail "$(cat err)"
exit 0
