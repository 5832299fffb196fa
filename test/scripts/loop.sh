#!/bin/sh
# loop.sh FEW LOOP RECIPE: two loops of two generations, their tables, and an image where gnuplot is
# installed.
set -eu
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
code=0
"$2" --few "$1" --out "$out" --kinds synthetic,guided --generations 2 --real 64 --steps 2 \
  "$3" labels=yes label_dropout=0.1 steps=4 batch=16 shards=1 >"$out/said" 2>&1 || code=$?
for kind in synthetic guided; do
  lines=$(wc -l <"$out/$kind/loop.csv") || lines=0
  [ "$lines" -eq 3 ] || { cat "$out/said"; echo "$kind: $lines lines, not 3"; exit 1; }
done
command -v gnuplot >/dev/null || exit 0
if [ "$code" -ne 0 ] || [ ! -s "$out/loop.png" ]; then
  cat "$out/said"
  exit 1
fi
