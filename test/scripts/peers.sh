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
echo 'raise ModuleNotFoundError("No module named '"'onnxscript'"'")' \
  >"$out/part/torch/utils/_python_dispatch.py"
PYTHONPATH=$out/part "$2" --few "$1" >"$out/said" 2>&1 && fail 'a module that is not there'
grep -q 'python.* -m pip install onnxscript$' "$out/said" || fail 'the module is not named'

# A PyTorch that lacks only a module which the networks of the comparison need. So the networks are
# found.
mkdir -p "$out/whole/torch/utils" "$out/whole/torch/autograd"
touch "$out/whole/numpy.py" "$out/whole/torch/__init__.py" "$out/whole/torch/utils/__init__.py" \
  "$out/whole/torch/autograd/__init__.py"
echo 'TorchDispatchMode = object' >"$out/whole/torch/utils/_python_dispatch.py"
echo 'raise ModuleNotFoundError("No module named '"'reached'"'")' \
  >"$out/whole/torch/autograd/forward_ad.py"
PYTHONPATH=$out/whole "$2" --few "$1" >"$out/said" 2>&1 && fail 'a module that the networks need'
grep -q 'python.* -m pip install reached$' "$out/said" || fail 'the networks are not found'
echo 'raise ImportError("none here")' >"$out/whole/openvino.py"
PYTHONPATH=$out/whole "$2" --few "$1" --openvino >"$out/said" 2>&1 &&
  fail 'OpenVINO that is not there'
grep -q 'OpenVINO is not available' "$out/said" && grep -q 'pip install openvino' "$out/said" ||
  fail 'OpenVINO is not named'

refused() { # WORD OPTION ...: the sentence has the word
  word=$1
  shift
  "$peers" --few "$few" "$@" >"$out/said" 2>&1 && fail "$*"
  grep -q -e "$word" "$out/said" || fail "$*: the sentence lacks $word"
}
few=$1 peers=$2
refused '--backend cuda' --precision tf32
refused 'none of fp32, tf32, bf16' --precision fp8
refused '--precision fp32,bf16' --precision bf16 --ort
refused 'leave out --backend or --openvino' --backend cuda --openvino
refused 'SIDE=NAME, of few, torch' --setting compiled=plain
refused 'into --shards 3' --shards 3

for python in python3 /usr/bin/python3; do
  "$python" -c 'import torch, numpy' 2>/dev/null || continue
  "$2" --few "$1" --torch-python "$python" --size 8 --batch 4 --threads 1 --set channels=32 \
    --set mults=1 --set blocks=1 --set attention=4 --case infer,sct --rounds 1 --samples 1 \
    --seconds 0.01 --precision fp32,bf16 --quiet >"$out/said" 2>&1 || fail 'few and PyTorch'
  [ "$(grep -cE '^(infer|sct) +(few|PyTorch) +(fp32|bf16) ' "$out/said")" -eq 8 ] ||
    fail 'eight rows'
  "$python" -c 'import torch; torch.cuda.init()' 2>/dev/null ||
    { "$2" --few "$1" --torch-python "$python" --backend cuda --compile >"$out/said" 2>&1 &&
      fail 'no GPU'; }
  exit 0
done
