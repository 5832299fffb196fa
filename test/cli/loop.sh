# few loop: the table does not depend on where the loop was stopped; more generations can be added
# later; errors.
fail() {
  echo "$@"
  exit 9
}
loop() {
  run=$1
  shift
  "$few" loop "$here/moons.ini" --run "$run" --real 200 --synthetic 150 --steps 4 --quiet steps=20 \
    checkpoint_every=20 "$@"
}
loop whole --kind augment --generations 3 || fail "no loop"
head -1 whole/loop.csv
cut -d, -f1-4 whole/loop.csv
loop part --kind augment --generations 1 --workers 1 || fail "no first generation"
loop part --kind augment --generations 3 --workers 3 || fail "no more generations"
cmp whole/loop.csv part/loop.csv || fail "other numbers"
rm -r part/generation-003/eval.json part/generation-003/samples.npy part/loop.csv
loop part --kind augment --generations 3 || fail "not resumed"
cmp whole/loop.csv part/loop.csv || fail "other numbers after a stop"
sed 's/"value":[^,]*/"value":null/' part/generation-003/eval.json >broken
cp broken part/generation-003/eval.json
loop part --kind augment --generations 3 || fail "a number that is none"
tail -1 part/loop.csv | cut -d, -f5- | grep -q '^nan,' || fail "$(cat part/loop.csv)"
echo '{"numbers":[null]}' >part/generation-003/eval.json
loop part --kind augment --generations 3 2>&1 | grep -o "number 0 has no name.*"
loop part --kind fresh --generations 3 2>&1 | grep -o "loop.ini belongs to another loop:"
loop part --kind augment --generations 3 lr=0.5 2>&1 | grep -o "was run with lr = [^,]*"
loop part --kind augment --generations 4 steps=30 2>&1 | grep -o "was run with steps = [^,]*"
"$few" loop "$here/moons.ini" --run fresh --kind fresh --generations 9 --real 60000 2>&1 |
  grep -o "60000 real items per generation.*"
"$few" loop "$here/moons.ini" --run a,b --generations 1 2>&1 | grep -o "a directory without a comma"

# A teacher may have another name if it has the same bytes.
for seed in 1 2; do
  "$few" train "$here/moons.ini" --run t$seed --quiet steps=2 seed=$seed || fail "no teacher"
done
cp t1/model.safetensors teacher
pupil() {
  loop pupil objective=scd tangent_warmup=10 "$@" 2>&1
}
pupil teacher=teacher --generations 1 || fail "no student"
mv teacher moved
pupil teacher=moved --generations 2 || fail "a moved teacher"
grep "^teacher" pupil/recipe.ini
pupil teacher=t2/model.safetensors --generations 2 |
  grep -o "inputs.ini was written for other data or another teacher:"
cp t2/model.safetensors moved
pupil teacher=moved --generations 2 | grep -c "other data or another teacher"
rm pupil/inputs.ini
pupil teacher=t1/model.safetensors --generations 2 |
  grep -o "there is no inputs.ini to compare them with.*"
