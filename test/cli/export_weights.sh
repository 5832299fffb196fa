# Smaller weights: the files get smaller, samples of int8 stay close, and both files are measured.
fail() {
  echo "$@"
  exit 9
}
teacher=$here/../../models/toy-teacher.safetensors
for type in f32 f16 bf16 int8; do
  "$few" export "$teacher" --out $type.safetensors --weights $type >out 2>err || fail "$(cat err)"
  grep -q '^bytes' out || fail "$(cat out)"
  "$few" sample $type.safetensors --n 500 --steps 8 --out $type.npy --quiet || fail "$type"
done
size() { wc -c <"$1.safetensors"; }
[ "$(size f16)" -lt "$(size f32)" ] && [ "$(size int8)" -lt "$(size bf16)" ] || fail "no smaller"
"$few" export int8.safetensors --out again.safetensors --weights int8 --quiet
cmp int8.safetensors again.safetensors || fail "other bytes"
"$few" export "$teacher" --out q.safetensors --weights int8 --n 500 --steps 8 --ref toy:mixture \
  --quiet >out 2>err || fail "$(cat err)"
[ -s out ] && fail "--quiet prints: $(cat out)"
"$few" export "$teacher" --out q.safetensors --weights int8 --n 500 --steps 8 --ref toy:mixture \
  >out 2>err || fail "$(cat err)"
grep -q '^energy' out || fail "$(cat out)"
refused() { # WORD OPTION ...
  word=$1
  shift
  "$few" export "$@" >out 2>err && fail "$*: not refused"
  grep -q -e "$word" err || fail "$*: $(cat err)"
}
refused 'is for .safetensors' "$teacher" --out x.onnx --weights int8
refused 'are for .safetensors' "$teacher" --out x.onnx --ref toy:mixture
refused 'are for .onnx' "$teacher" --out x.safetensors --flat
exit 0
