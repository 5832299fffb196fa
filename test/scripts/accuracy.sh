#!/bin/sh
# accuracy.sh FEW ACCURACY ANSWER: errors name what is missing. With PyTorch, a network is measured.
set -eu
few=$1 accuracy=$2 answer=$3
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
fail() {
  echo "$1" && cat "$out/text"
  exit 1
}
refused() { # WORD OPTION ...: the sentence has the word
  word=$1
  shift
  "$accuracy" --few "$few" --answer "$few" "$@" >"$out/text" 2>&1 && fail "$*: accepted"
  grep -q -e "$word" "$out/text" || fail "$*: the sentence lacks $word"
}
refused 'target few_program' --few "$out/none"
refused 'target few_answer' --answer "$out/none"
refused 'pip install torch' --torch-python "$out/none"
refused 'NAME=MODEL' unet63
refused 'no model' "a=$out/none"

[ -x "$answer" ] || exit 0
for python in python3 /usr/bin/python3; do
  "$python" -c 'import torch, numpy' 2>/dev/null || continue
  "$accuracy" --few "$few" --answer "$answer" --torch-python "$python" --threads 1 --rows 1 \
    --times 0.8 fashion-teacher >"$out/text" 2>&1 || fail 'few and PyTorch'
  grep -q '^fashion-teacher  0.8 ' "$out/text" || fail 'a row'
  exit 0
done
