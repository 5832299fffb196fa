# A model is written as an ONNX file; what the file has is printed; mistakes are refused.
fail() {
  echo "$@"
  exit 9
}
models=$here/../../models
student=$models/fashion-student.safetensors
"$few" export "$student" --steps 3 --out s.onnx >out 2>err || fail "$(cat err)"
grep -q '^sampler consistency, 3 steps' out || fail "$(cat out)"
grep -q '^in  fresh \[2,N,1,28,28\] float32' out || fail "$(cat out)"
grep -q '^out image \[N,1,28,28\] float32' out || fail "$(cat out)"
"$few" export "$student" --steps 3 --out again.onnx --quiet >out || fail "no file"
[ -s out ] && fail "--quiet prints: $(cat out)"
cmp s.onnx again.onnx || fail "other bytes"
"$few" export "$student" --steps 1 --label sandal --flat --pixels uint8 --out g.onnx >out ||
  fail "no generator"
grep -q '^in  label' out && fail "$(cat out)"
grep -q '^in  noise \[N,784\]' out || fail "$(cat out)"
grep -q 'uint8: 0 to 255' out || fail "$(cat out)"
"$few" export "$models/toy-teacher.safetensors" --what denoiser --out d.onnx >out
grep -q '^in  sigma' out || fail "no denoiser: $(cat out)"
refused() { # CODE WORD OPTION ...
  code=$1 word=$2
  shift 2
  "$few" export "$@" >out 2>err
  [ $? = "$code" ] || fail "$*: code $?: $(cat err)"
  grep -q -e "$word" err || fail "$*: $(cat err)"
}
refused 2 'ends in .onnx' "$student" --out s.pt
refused 1 'cannot be made' "$student" --out nowhere/s.onnx
refused 2 "0 to 9" "$student" --label 12 --out s.onnx
refused 1 'graph of a network' "$student" --what network --steps 2 --out s.onnx
refused 1 'classifier' "$models/fashion-judge.safetensors" --out s.onnx
refused 1 'modulation = double' "$student" --out folder/
[ -e folder ] && fail "a refused export makes a folder"
"$few" import diffusers "$here/../model/import/data/cm" --out cm.safetensors --quiet ||
  fail "no import"
"$few" export cm.safetensors --out cm/ >out || fail "no folder of diffusers"
grep -q '^pipeline: ConsistencyModelPipeline' out || fail "$(cat out)"
refused 1 'not empty' cm.safetensors --out cm/
refused 2 'steps cannot' cm.safetensors --out other/ --steps 2
refused 2 'label cannot' cm.safetensors --out other/ --label 1
# The guide's page: its command and its Python, if there is an ONNX Runtime.
python=${PYTHON:-python3}
if "$python" -c 'import numpy, onnxruntime' 2>/dev/null; then
  "$few" export "$student" --steps 2 --out clothes.onnx --quiet || fail "the guide's command"
  sed -n '/^## Taking a model/,/^For the same/p' "$here/../../docs/guide.md" |
    sed -n '/^```python$/,/^```$/p' | grep -v '^```' >guide.py
  "$python" guide.py || fail "the guide's Python"
  [ "$(wc -c <clothes.npy)" -gt 12544 ] || fail "no images"
fi
cmp s.onnx again.onnx || fail "a refused export changed the file"
exit 0
