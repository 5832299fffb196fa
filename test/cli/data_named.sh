# A path without a reader names the same data set in every command: data, train, eval, tangent,
# encode.
model=$here/../../models/fashion-student.safetensors
"$few" sample "$model" --n 12 --steps 1 --out photos --quiet >/dev/null || exit 9
"$few" sample "$model" --n 12 --steps 1 --out photos.npy --quiet >/dev/null || exit 9
for name in photos photos.npy photos/000003.png; do
  "$few" data $name | grep -E '^(data|items)'
done
"$few" data folder:photos >a && "$few" data photos >b && cmp a b
"$few" train "$here/tiny-unet.ini" --run run data=photos data_limit=0 label_dropout=0 steps=1 \
  eval_every=1 eval_n=8 \
  eval_steps=1 eval_features=pixels eval_metrics=fd --quiet 2>/dev/null || exit 9
grep -c '"reference":"folder:photos"' run/log.jsonl
"$few" eval photos.npy --ref photos --features pixels --metrics fd --quiet | sed -n 's/^fd .*/fd/p'
"$few" tangent run/model.safetensors --data photos --rows 2 >/dev/null || exit 9
"$few" encode run/model.safetensors photos/000003.png --steps 2 --out noise.npy \
  --quiet >/dev/null || exit 9
mkdir parts && cp -r photos parts/train && mkdir parts/test && cp photos/000001.png parts/test
cp -r photos folder && "$few" data folder | grep ^items
"$few" data parts:test | grep -E '^(data|items)'
: >photos.txt
mkdir old && : >old/model.safetensors
for name in missing missing.png photos.txt pohtos:x npy old; do "$few" data $name 2>&1; done
true
