# few eval prints everything that its numbers depend on. Mistakes are reported before the sampling.
fail() {
  echo "$@"
  exit 9
}
try() {
  "$few" "$@" 2>err >out
  echo "exit $?"
  grep -v "hash\|images [0-9]\|reference [0-9]\|samples [0-9]\|neighbours\|kernel" err
}
model="$here/../../models/fashion-student.safetensors"
"$few" sample "$model" --n 40 --steps 1 --seed 7 --out s.npy --quiet || fail "no samples"
"$few" eval "$model" --n 40 --steps 1 --seed 7 --ref s.npy --metrics dc,pr --quiet >table ||
  fail "no numbers"
sed 's/[0-9a-f]\{16\}/HASH/g; s|/.*/models/||' table
# The samples of the file are those of the model, so the distances are zero.
"$few" eval s.npy --ref s.npy --metrics fd,pr --json --quiet >json 2>err || fail "no JSON"
grep -q "singular covariance (rank 39)" err || fail "no warning"
grep -q '"name":"fd","value":\([0-9.]*e-1[0-9]\|0.0\),' json || fail "$(cat json)"
grep -q '"name":"precision","value":1.0,"error":null' json || fail "$(cat json)"
# A saved reference gives the same numbers as its images. Points, and one class only, are compared
# too.
same="--n 40 --steps 1 --seed 8 --metrics kid,pr,energy,fd --json --quiet"
# shellcheck disable=SC2086  # words
"$few" eval "$model" $same --ref s.npy >a 2>err || fail "no numbers: $(cat err)"
"$few" eval --ref s.npy --save-ref s.safetensors --quiet 2>err || fail "not saved: $(cat err)"
# shellcheck disable=SC2086  # words
"$few" eval "$model" $same --ref s.safetensors >b 2>err || fail "no numbers: $(cat err)"
sed -i 's/"seconds".*//' a b
cmp a b || fail "other numbers: $(cat a b)"
"$few" eval "$model" --n 20 --steps 1 --label 3 --ref fashion-mnist:test --metrics pr --quiet |
  sed 's/[0-9a-f]\{16\}/HASH/g; s|/.*/models/||; s/^\(precision\|recall\).*k/\1 k/'
"$few" eval npy:s.npy,s.labels.npy --label 3 --ref s.npy --metrics pr 2>&1 | grep "label 3"
"$few" eval toy:moons --ref toy:checkerboard --n 2000 --n-ref 2000 --metrics energy,fd --quiet |
  sed 's/[0-9a-f]\{16\}/HASH/g; s/ of it means.*//; s/; between.*//'
try eval --save-ref a.safetensors
try eval s.npy --ref s.safetensors \
  --features fashion="$here/../../models/fashion-features.safetensors"
try eval s.npy --ref "$model" --metrics fd 2>&1 | sed 's|/.*/models/||'
try eval
try eval s.npy
try eval s.npy --ref missing
try eval s.npy --ref s.npy --metrics fid,xyz
try eval s.npy --ref s.npy --metrics is
try eval s.npy --ref s.npy --metrics fd --steps 3
try eval s.npy --ref s.npy --n 3 --metrics pr
try eval s.npy --ref s.npy --n 41
try eval s.npy --ref fashion-mnist:train
try eval s.npy --ref toy:moons
mkdir empty run
try eval s.npy --ref empty
: >run/model.safetensors
try eval run --ref s.npy
