# few ema: models of several averages from one run's snapshots, counted by few plan.
fail() {
  echo "$@"
  exit 9
}
keys="steps=40 batch=16 width=16 snapshot_every=5 preview_every=0 lr_shape=constant"
# shellcheck disable=SC2086  # words
"$few" train toy-teacher --quiet --run run $keys 2>err || fail "$(cat err)"
[ "$(ls run/snapshot-*-050.safetensors | wc -l)" = 8 ] || fail "$(ls run)"
# shellcheck disable=SC2086
"$few" plan toy-teacher $keys --json --quiet >json 2>err || fail "$(cat err)"
planned=$(grep -o '"snapshot_bytes": [0-9]*' json | sed 's/.* //')
awk -v a="$planned" -v b="$(cat run/snapshot-* | wc -c)" \
  'BEGIN { exit !(a < 1.02 * b && a > 0.98 * b) }' || fail "$planned bytes planned"
"$few" ema run --sigma-rel 0.07 --out a.safetensors | grep -q \
  "a.safetensors: average of sigma_rel 0.07 at step 40, from 16 snapshots; error of its profile" ||
  fail "no summary"
"$few" ema run --sigma-rel 0.12 --last 20 --out b.safetensors --json >json 2>err ||
  fail "$(cat err)"
grep -q '"step": 20, "snapshots": 8' json || fail "$(cat json)"
"$few" sample a.safetensors --n 8 --out a.npy --quiet 2>err || fail "$(cat err)"
"$few" show b.safetensors | grep -q "20" || fail "$(cat json)"
"$few" ema run --sigma-rel 0.002 --out c.safetensors 2>err && fail "not refused"
grep -q "train with a smaller snapshot_every" err || fail "$(cat err)"
[ ! -e c.safetensors ] || fail "a file after an error"
"$few" ema a.safetensors --out c.safetensors 2>err && fail "a file is no run"
"$few" ema . --out c.safetensors 2>err && fail "no snapshots"
grep -q "has no snapshots: train with snapshot_every" err || fail "$(cat err)"
exit 0
