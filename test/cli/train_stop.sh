# SIGINT leaves a checkpoint and the code 130; the same command then ends in the bytes of a run that
# nothing stopped. The same for SIGTERM.
fail() {
  echo "$@"
  exit 9
}
"$few" train "$here/moons.ini" --run whole --quiet steps=150 || fail "no whole run"
for signal in INT TERM; do
  # sh starts jobs in the background with SIGINT ignored; the program sets its own handler.
  "$few" train "$here/moons.ini" --run parts steps=150 2>err &
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    test -s parts/log.jsonl && break
    sleep 0.05
  done
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
