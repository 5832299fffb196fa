# A schedule is fitted, printed and written, and used for sampling.
fail() {
  echo "$@"
  exit 9
}
"$few" train "$here/moons.ini" --run run --quiet || fail "no teacher"
m=run/model.safetensors
"$few" olss $m --steps 4 --full 20 --out four.json >table 2>err || fail "$(cat err)"
[ "$(wc -l <table)" = 5 ] || fail "$(cat table)"
"$few" olss $m --steps 4 --full 20 --out again.json --workers 1 --quiet || fail "no fit"
cmp four.json again.json || fail "another fit with one worker"
"$few" olss $m --steps 4 --full 20 --even --out even.json --json --quiet | grep -q '"rms": ' ||
  fail "no JSON"
"$few" sample $m --schedule four.json --n 40 --seed 3 --out a.npy --json --quiet >json ||
  fail "no samples"
grep -q '"steps": 4, "nfe": 4' json || fail "$(cat json)"
grep -q '"sampler": "olss"' json || fail "$(cat json)"
"$few" sample $m --schedule four.json --n 40 --seed 3 --out b.npy --workers 3 --batch 7 --quiet
cmp a.npy b.npy || fail "other bytes with other batches"
"$few" sample $m --sampler olss --out a.npy 2>err && fail "no schedule"
grep -q "few olss" err || fail "$(cat err)"
"$few" olss $m --out four.txt 2>err
[ $? = 2 ] || fail "an ending that few sample does not know"
"$few" olss $m --out nowhere/x.json 2>err && fail "written nowhere"
grep -q "cannot be made" err || fail "told after the run: $(cat err)"
exit 0
