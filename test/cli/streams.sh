# A closed stream or a limit on file sizes is an error with a sentence. Output for the terminal
# never goes into a file of the run.
fail() {
  echo "$@"
  exit 9
}
"$few" train "$here/moons.ini" --run run steps=20 2>&- >out || fail "closed stderr: $?"
"$few" train "$here/moons.ini" --run closed steps=20 >&- 2>&- && fail "closed streams: no error"
for run in run closed; do
  grep -v '^{"step":' $run/log.jsonl && fail "$run: words in the log"
done
cmp run/model.safetensors closed/model.safetensors || fail "other bytes"
(ulimit -f 8 && "$few" train "$here/moons.ini" --run large --quiet width=64 2>err)
code=$?
[ $code = 1 ] || fail "file size limit: exit code $code"
grep -q "large/checkpoint-000000000.safetensors: File too large: raise the limit" err ||
  fail "$(cat err)"
ls large | grep tmp && fail "a file left over"
exit 0
