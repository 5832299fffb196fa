#!/bin/sh
# sweep.sh FEW SWEEP: a table of each sweep, with a row for each point and case; an image of each
# where gnuplot is installed.
set -eu
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
"$2" --few "$1" --out "$out" --quick 2>"$out/said" || { cat "$out/said"; exit 1; }
for one in batch:8 size:6 channels:6 tokens:6 workers:4 shards:8; do
  rows=$(grep -c '^[0-9]' "$out/${one%:*}.tsv")
  [ "$rows" -eq "${one#*:}" ] || { echo "${one%:*}: $rows rows, not ${one#*:}"; exit 1; }
  command -v gnuplot >/dev/null || continue
  [ -s "$out/${one%:*}.png" ] || { echo "no ${one%:*}.png"; exit 1; }
done
