# After a signal, finished images are kept and reported, with exit code 130: the first of the
# requested images, and no others.
fail() {
  echo "$@"
  exit 9
}
student="$here/../../models/fashion-student.safetensors"
teacher="$here/../../models/fashion-teacher.safetensors"

# interrupt COMMAND ...: sends SIGINT when something is probably finished; writes out and err.
interrupt() {
  for wait in 0.5 1 2 4 8; do
    "$few" "$@" >out 2>err &
    sleep $wait
    kill -s INT $! 2>/dev/null
    wait $!
    code=$?
    grep -q "interrupted before the first" err || return $code
  done
  return $code
}
# count FILE.npy: prints its first dimension.
count() { head -c 128 "$1" | LC_ALL=C sed -n "s/.*'shape': (\([0-9]*\),.*/\1/p"; }

interrupt sample "$student" --n 50000 --steps 1 --out part.npy --json
[ $? = 130 ] || fail "sample: $(cat err)"
n=$(count part.npy)
grep -q "interrupted: part.npy has the first $n of 50000; --first $n --n $((50000 - n)) makes" \
  err ||
  fail "sample: $(cat err)"
grep -q "\"n\": $n, .*\"complete\": false" out || fail "sample: $(cat out)"
[ "$(count part.labels.npy)" = "$n" ] || fail "labels of other images"
"$few" sample "$student" --n 16 --steps 1 --out whole.npy --quiet || fail "no whole"
"$few" data npy:part.npy --n 16 --out a.png >log || fail "part.npy cannot be read"
"$few" data npy:whole.npy --n 16 --out b.png >log || fail "whole.npy cannot be read"
cmp a.png b.png || fail "other images"

interrupt transfer "$teacher" "$teacher" fashion-mnist:test --from-steps 1 --to-steps 1 \
  --to sneaker --out moved.npy
[ $? = 130 ] || fail "transfer: $(cat err)"
grep -q "interrupted: moved.npy has the first $(count moved.npy) of 10000" err ||
  fail "transfer: $(cat err)"

interrupt encode "$teacher" fashion-mnist:test --steps 2 --out noise.npy
[ $? = 130 ] || fail "encode: $(cat err)"
grep -q "interrupted: noise.npy has the first $(count noise.npy) of 10000" err ||
  fail "encode: $(cat err)"
# few eval prints the finished numbers and lists what is missing.
interrupt eval "$student" --ref part.npy --features pixels --n 50000 --steps 1 --metrics kid,fd \
  --json
[ $? = 130 ] || fail "eval: $(cat err)"
grep -q '"numbers":\[\],.*"complete":false,"missing":"fd, kid"' out || fail "eval: $(cat out)"
interrupt eval toy:moons --ref toy:checkerboard --n 500 --n-ref 500 --metrics fd,kid \
  --subsets 1000000 \
  --subset-size 200
[ $? = 130 ] || fail "eval: $(cat err)"
grep -q "^fd  " out || fail "no fd: $(cat out)"
grep -q "^missing    kid (interrupted)" out || fail "not said: $(cat out)"
exit 0
