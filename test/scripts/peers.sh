#!/bin/sh
# peers.sh FEW PEERS: errors name what is missing. If PyTorch is installed, both sides are run.
set -eu
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
fail() {
  echo "$1" && cat "$out/said"
  exit 1
}
echo 'raise ImportError("none here")' >"$out/torch.py"

"$2" --few "$out/none" >"$out/said" 2>&1 && fail 'a program that is not there'
grep -q 'no program .*--few' "$out/said" || fail 'the program is not named'
PYTHONPATH=$out "$2" --few "$1" >"$out/said" 2>&1 && fail 'PyTorch that is not there'
grep -q 'apt-get install python3-torch' "$out/said" || fail 'the package is not named'

mkdir -p "$out/part/torch/utils" # a PyTorch that lacks what its exporter needs
touch "$out/part/numpy.py" "$out/part/torch/__init__.py" "$out/part/torch/utils/__init__.py"
echo 'raise ModuleNotFoundError("No module named '"'onnxscript'"'")' >"$out/part/torch/utils/_python_dispatch.py"
PYTHONPATH=$out/part "$2" --few "$1" >"$out/said" 2>&1 && fail 'a module that is not there'
grep -q 'python.* -m pip install onnxscript$' "$out/said" || fail 'the module is not named'

"$2" --few "$1" --precision bf16 >"$out/said" 2>&1 && fail 'a precision of the CPU'
grep -q -e '--backend cuda' "$out/said" || fail 'the backend that has precisions is not named'

for python in python3 /usr/bin/python3; do
  "$python" -c 'import torch, numpy' 2>/dev/null || continue
  "$2" --few "$1" --torch-python "$python" --size 8 --batch 4 --threads 1 --set channels=32 \
    --set mults=1 --set blocks=1 --set attention=4 --case infer,sct --rounds 1 --samples 1 \
    --seconds 0.01 --quiet >"$out/said" 2>&1 || fail 'few and PyTorch'
  [ "$(grep -cE '^(infer|sct) +(few|PyTorch) ' "$out/said")" -eq 4 ] || fail 'four rows'
  "$python" -c 'import torch; torch.cuda.init()' 2>/dev/null ||
    { "$2" --few "$1" --torch-python "$python" --backend cuda --compile >"$out/said" 2>&1 && fail 'no GPU'; }
  exit 0
done
