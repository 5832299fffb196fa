# What cannot be written is refused before anything is sampled.
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
test -s new/folder/000000.png || fail "no picture in it"
"$few" train "$here/moons.ini" --run run --quiet steps=1
"$few" sample run/model.safetensors --n 4 --out points 2>err && fail "points in a folder"
grep -q "points are no pictures" err || fail "$(cat err)"
exit 0
