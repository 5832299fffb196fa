# Every command accepts the name of a class, or its number. Images and models are matched by the
# names of their classes.
fail() {
  echo "$@"
  exit 9
}
"$few" sample "$here/../../models/fashion-student.safetensors" --n 24 --out all --quiet ||
  fail "no images"
for name in 1 2 3 4 5 6 7 8 9 10 11 12; do
  mkdir -p "numbers/$name"
  for i in $((2 * name - 2)) $((2 * name - 1)); do
    mv "$(printf 'all/%06d.png' $i)" "numbers/$name/"
  done
done
train() {
  "$few" train "$here/tiny-unet.ini" --quiet steps=2 eval_every=0 "$@"
}
train --run m data=folder:numbers || fail "no model"
m=m/model.safetensors
"$few" sample $m --label 2 --n 2 --out s.npy --json 2>/dev/null >json || fail "no samples"
grep -q '"label": 4, "label_name": "2"' json || fail "sample: $(cat json)"
"$few" sample $m --label 2 --n 2 --out s.npy 2>/dev/null | grep -q "samples, label 4 (2) in" ||
  fail "sample says another"
"$few" sample $m --label 0 --n 2 --out s.npy 2>err && fail "a number that is no name"
"$few" eval $m --label 2 --n 4 --ref folder:numbers --metrics fd --json 2>/dev/null >json ||
  fail "no numbers"
grep -q '"label":4,"label_name":"2",' json || fail "eval: $(cat json)"
grep -q '"labels":"one class","label_counts":\[0,0,0,0,4,' json || fail "eval: $(cat json)"
grep -q '"reference":{[^}]*"n":2}' json || fail "eval: $(cat json)"
"$few" eval folder:numbers --label 2 --ref folder:numbers --metrics fd 2>/dev/null |
  grep -q "label 4 (2) only" ||
  fail "eval of images"
"$few" eval folder:numbers --label 13 --ref folder:numbers --metrics fd 2>err &&
  fail "a class that is none"
grep -q "label 13 is not a class of folder:numbers, whose classes are 1, 10, 11" err ||
  fail "$(cat err)"
"$few" encode $m folder:numbers --label 12 --steps 1 --out n.npy --json 2>/dev/null |
  grep -q '"label": 3, "label_name": "12"' || fail "encode"
"$few" transfer $m $m folder:numbers --from 3 --to 1 --from-steps 1 --to-steps 1 --out t.npy \
  2>/dev/null |
  grep -q "transferred, from 5 (3), to 0 (1) in" || fail "transfer"
# Ten classes with other names than those of the classifier.
mkdir ten && for name in 1 2 3 4 5 6 7 8 9 10; do cp -r "numbers/$name" ten/; done
"$few" eval folder:ten --metrics agreement \
  --features "fashion=$here/../../models/fashion-features.safetensors" \
  2>err && fail "agreement with a classifier of clothes"
grep -q "the classifier has other classes" err || fail "$(cat err)"
# Sets with different class names are refused. If one set has no names, they are accepted.
mkdir -p pets/cat pets/dog beasts
mv numbers/1 beasts/a_dog && mv numbers/2 beasts/b_cat
cp numbers/3/* pets/cat && cp numbers/4/* pets/dog
train --run pets-teacher data=folder:pets || fail "no teacher"
p=pets-teacher/model.safetensors
refused() {
  "$few" "$@" 2>err && fail "not refused: $*"
  grep -q "the classes of .*(a_dog, b_cat) are not those of .*(cat, dog)" err ||
    fail "$*: $(cat err)"
}
refused train "$here/tiny-unet.ini" --run x data=folder:beasts teacher=$p objective=scd steps=2
refused train "$here/tiny-unet.ini" --run x data=folder:beasts init=$p steps=2
refused eval $p --ref folder:beasts --metrics fd --n 4
refused times $p --ref folder:beasts --n 4
refused encode $p folder:beasts --out n.npy
refused transfer $p $p folder:beasts --out n.npy
refused tangent $p --data folder:beasts
"$few" encode $p folder:beasts --label cat --steps 1 --out n.npy --quiet 2>err || fail "$(cat err)"
"$few" eval $p --ref folder:beasts --labels even --metrics fd --n 4 --quiet >/dev/null 2>err ||
  fail "$(cat err)"
"$few" data folder:beasts --n 4 --out beasts.npy >/dev/null 2>&1 || fail "no array"
"$few" eval $p --ref npy:beasts.npy,beasts.labels.npy --metrics fd --n 4 --quiet >/dev/null \
  2>err || fail "$(cat err)"
# Options without an effect are refused.
for words in "eval $p --ref folder:pets --label cat --labels even" \
  "eval folder:pets --ref folder:pets --labels even" \
  "sample $p --label cat --labels even --out x.png" \
  "loop $here/moons.ini --run l --labels even labels=no"; do
  # shellcheck disable=SC2086  # words
  "$few" $words 2>err && fail "$words"
  grep -q "labels" err || fail "$words: $(cat err)"
done
exit 0
