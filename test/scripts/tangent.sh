#!/bin/sh
# tangent.sh FEW TANGENT MODEL: a row for each time of each model, and an image where gnuplot is
# installed.
set -eu
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
code=0
"$2" --few "$1" --out "$out" --rows 8 "one=$3" "a second=$3" >"$out/said" 2>&1 || code=$?
rows=$(grep -c '^\(one\|a second\)' "$out/tangent.tsv")
[ "$rows" -eq 32 ] || { cat "$out/said"; echo "$rows rows, not 32"; exit 1; }
command -v gnuplot >/dev/null || exit 0
if [ "$code" -ne 0 ] || [ ! -s "$out/tangent.png" ]; then
  cat "$out/said"
  exit 1
fi
