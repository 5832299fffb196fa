# SIGINT leaves a checkpoint and exit code 130. The same command then ends with the bytes of an
# uninterrupted run. The same holds for SIGTERM, and if the terminal or the reader is gone (HUP,
# PIPE).
fail() {
  echo "$@"
  exit 9
}
"$few" train "$here/moons.ini" --run whole --quiet steps=150 || fail "no whole run"
wait_for_log() {
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    test -s parts/log.jsonl && break
    sleep 0.05
  done
}
for signal in INT TERM HUP PIPE; do
  # sh starts jobs in the background with SIGINT ignored; the program sets its own handler.
  "$few" train "$here/moons.ini" --run parts steps=150 2>err &
  wait_for_log
  kill -s $signal $!
  wait $!
  code=$?
  cat err >&2
  case $code in
    130) grep -q "the same command resumes" err || fail "nothing said about resuming" ;;
    0) echo "note: done before $signal came" >&2 ;;
    *) fail "exit code $code after $signal" ;;
  esac
  "$few" train "$here/moons.ini" --run parts --quiet steps=150 || fail "not resumed"
  cmp whole/model.safetensors parts/model.safetensors || fail "other bytes after $signal"
  rm -r parts
done
# If the reader is gone, the output is lost, but the run is saved.
(
  "$few" train "$here/moons.ini" --run parts steps=150
  echo $? >code
) 2>&1 | head -n 1 >first
# If the run ends before it notices, the failure of the output gives exit code 1.
case $(cat code) in
  0 | 130) ;;
  1) cmp whole/model.safetensors parts/model.safetensors ||
    fail "code 1, and the run is not done" ;;
  *) fail "exit code $(cat code) without a reader" ;;
esac
"$few" train "$here/moons.ini" --run parts --quiet steps=150 || fail "not resumed"
cmp whole/model.safetensors parts/model.safetensors || fail "other bytes without a reader"
rm -r parts
# Under nohup a run continues without its terminal.
(
  trap '' HUP
  exec "$few" train "$here/moons.ini" --run parts --quiet steps=150
) &
wait_for_log
kill -s HUP $!
wait $! || fail "exit code $? under nohup"
cmp whole/model.safetensors parts/model.safetensors || fail "other bytes under nohup"
