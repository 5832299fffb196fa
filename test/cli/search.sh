# Times are searched and stored in the model, and few sample uses them. few times is the older name.
fail() {
  echo "$@"
  exit 9
}
"$few" train "$here/moons.ini" --run teacher --quiet || fail "no teacher"
"$few" train "$here/moons.ini" --run student --quiet objective=scd \
  teacher=teacher/model.safetensors steps=10 || fail "no student"
m=student/model.safetensors
"$few" search $m --ref toy:moons --steps 3 --n 100 --n-ref 100 --out own.safetensors \
  --json --quiet \
  >json || fail "no times"
grep -q '"times": \[1.56455, [0-9.]*, [0-9.]*\]' json || fail "$(cat json)"
grep -q '"labels": "reference"' json || fail "$(cat json)"
"$few" show own.safetensors | grep -q "^times       1.56455, " || fail "not in the model"
times=$(tr -d ' ' <json | sed 's/.*"times":\[\([^]]*\)\].*/\1/')
"$few" sample own.safetensors --n 20 --out a.npy --quiet || fail "no samples"
"$few" sample $m --n 20 --times "$times" --out b.npy --quiet || fail "no samples"
cmp a.npy b.npy || fail "its own times are others"
"$few" times $m --ref toy:moons --steps 2 --n 50 --n-ref 50 --out own.safetensors --quiet |
  grep -q "^--times 1.5" ||
  fail "no times"
"$few" search $m 2>err
[ $? = 2 ] || fail "no reference, and no usage"
"$few" search $m --ref fashion-mnist:nowhere 2>err && fail "no such reference"
"$few" search $m --ref toy:moons --n 50 --out nowhere/x 2>err && fail "written nowhere"
grep -q "cannot be made" err || fail "reported after the search: $(cat err)"
exit 0
