# The guard: spikes roll back to the last checkpoint with half the learning rate, a bounded number
# of times. Then the run stops with an error, and can still be resumed with a changed key.
fail() {
  echo "$@"
  exit 9
}
# Every gradient above the usual one counts as a spike, which is trouble as soon as the guard is
# active.
"$few" train "$here/moons.ini" --run run --quiet steps=200 guard_spike=1 guard_patience=2 \
  guard_retries=2 2>err
code=$?
[ $code = 1 ] || fail "exit code $code"
grep -q "training diverged at step .* (gradient spikes) after 2 roll-backs" err ||
  fail "no sentence"
[ "$(grep -c '"event":"rolled back"' run/log.jsonl)" = 2 ] || fail "roll-backs in the log"
grep -q '"lr_factor":0.25' run/log.jsonl || fail "the learning rate was not halved twice"
grep -q '"event":"skipped"' run/log.jsonl || fail "single spikes are not in the log"
ls run/checkpoint-*.safetensors >/dev/null || fail "no checkpoint left"
# The same run is resumed with a changed key, if the key may change.
"$few" train "$here/moons.ini" --run run --quiet steps=200 guard_spike=1 guard_patience=2 \
  guard_retries=100 2>err || true
[ -s run/model.safetensors ] || fail "no model"

# Weights that explode: if the run fails at once after a checkpoint, the one before is used.
"$few" train "$here/moons.ini" --run wild --quiet steps=15 lr=10 weight_decay=10 \
  checkpoint_every=1 guard_retries=20 2>err || fail "not recovered: $(cat err)"
grep -q "rolled back" err || fail "nothing to go back from: $(cat err)"
[ "$(grep -o "step [0-9]*: rolled back" err | sort -u | wc -l)" -ge 2 ] ||
  fail "to one checkpoint only: $(cat err)"
exit 0
