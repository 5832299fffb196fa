# A run that is killed at any moment and resumed ends with the bits of a run that was not killed.
# Interim checkpoints, which are written by the clock, change nothing, not even the step to which
# the guard goes back.
fail() {
  echo "$@"
  exit 9
}
train() {
  run=$1
  shift
  "$few" train "$here/moons.ini" --run "$run" "$@" 2>err
}
# An interim checkpoint after every step.
often=checkpoint_minutes=1e-9
train whole --quiet steps=100 || fail "$(cat err)"
"$few" train "$here/moons.ini" --run parts --quiet steps=100 $often &
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  grep -q '"step":30,' parts/log.jsonl 2>/dev/null && break
  sleep 0.05
done
kill -9 $!
wait $!
[ "$(ls parts | grep -c checkpoint-)" -le 2 ] || fail "more than two milestones: $(ls parts)"
[ "$(ls parts | grep -c interim-)" -le 2 ] || fail "interim checkpoints stay: $(ls parts)"
train parts steps=100 $often || fail "$(cat err)"
grep -q "resuming" err || fail "it began again: $(cat err)"
cmp whole/model.safetensors parts/model.safetensors || fail "other bytes after a kill"
ls parts/interim-* 2>/dev/null && fail "an interim checkpoint is left at the end"
ls -a parts | grep '\.tmp$' && fail "a temporary is left"

# The log begins with the first step. The means of the next line include that step.
head -n 1 whole/log.jsonl | grep -q '^{"step":1,"loss":' || fail "$(head -n 1 whole/log.jsonl)"
sed -n 2p whole/log.jsonl | grep -q '^{"step":10,' || fail "$(sed -n 2p whole/log.jsonl)"

# The guard goes back to the same steps with and without interim checkpoints, killed or not.
wild="steps=40 lr=10 weight_decay=10 guard_retries=20"
train guarded --quiet $wild || fail "$(cat err)"
grep -q "rolled back" guarded/log.jsonl || fail "no roll-back to look at"
train guarded-often --quiet $wild $often || fail "$(cat err)"
cmp guarded/model.safetensors guarded-often/model.safetensors || fail "roll-backs follow the clock"

# If the last checkpoint is damaged, the one before is used with a warning, and the bits are the
# same.
cp -r whole flipped
last=flipped/checkpoint-000000100.safetensors
rm flipped/model.safetensors
size=$(wc -c <$last)
printf 'x' | dd of=$last bs=1 seek=$((size / 2)) conv=notrunc 2>dd
train flipped steps=100 || fail "$(cat err)"
grep -q "does not match its digest.*trying the checkpoint before it" err || fail "$(cat err)"
grep -q "resuming flipped at step 80" err || fail "$(cat err)"
cmp whole/model.safetensors flipped/model.safetensors || fail "other bytes from the one before"

# Killed between a checkpoint and its preview, which is made when the run is resumed.
train seen --quiet steps=20 preview_every=20 preview_n=4 || fail "$(cat err)"
mv seen/preview-000000020.png preview.png
train seen --quiet steps=20 preview_every=20 preview_n=4 || fail "$(cat err)"
cmp preview.png seen/preview-000000020.png || fail "no preview, or another one"
exit 0
