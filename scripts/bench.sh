#!/bin/sh
# Run every benchmark: scripts/bench.sh FOLDER. Each prints its own table.
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
  echo "bench: no benchmark yet: write bench/<module>/bench_x.c" >&2
  exit 1
}
echo "Whole steps: few bench; how they grow: bench/sweep.sh; beside PyTorch: bench/peers.py."
