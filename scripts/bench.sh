#!/bin/sh
# Runs every benchmark: scripts/bench.sh FOLDER. Each prints a table.
set -eu
folder=${1:-build/release/bench}
found=
for program in "$folder"/bench_*; do
  [ -x "$program" ] && [ -f "$program" ] || continue
  found=yes
  echo "== ${program##*/}"
  "$program"
done
[ -n "$found" ] || {
  echo "bench: there are no benchmarks in $folder: build them with make bench" >&2
  exit 1
}
echo "To time whole steps: few bench. To see how they scale: bench/sweep.sh."
echo "To compare with PyTorch: bench/peers.py."
