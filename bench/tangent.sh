#!/bin/sh
# Draws the size of df/dt over time for several models: runs `few tangent --json` on each, writes a
# table (tangent.tsv) and draws it (tangent.png).
#
#   bench/tangent.sh [options] NAME=MODEL ...
#     --few PATH       the program (build/release/few)
#     --data SPEC      the data (toy:mixture)
#     --teacher MODEL  the model whose flow is followed (default: each model follows its own)
#     --rows N         rows at each of 16 times (1024)
#     --out DIR        where the table and the image go (runs/tangent)
#     --title TEXT     title of the image
#
# The upper panel shows df/dt in units of sigma_d. The lower panel shows the largest element of
# dF/dt (solid) and of cos t sin t dF/dt computed as one tangent (dashed), which number formats must
# represent. Needs jq, and gnuplot for the image: scripts/install-deps.sh bench.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
few=$here/../build/release/few data=toy:mixture teacher='' rows=1024 out=runs/tangent
title='df/dt along the flow'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
models=$work/models
: >"$models"
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h)
      print_help
      exit 0
      ;;
    --few | --data | --teacher | --rows | --out | --title)
      need_value "$@"
      case $1 in
        --few) few=$2 ;;
        --data) data=$2 ;;
        --teacher) teacher=$2 ;;
        --rows) rows=$2 ;;
        --out) out=$2 ;;
        --title) title=$2 ;;
      esac
      shift
      ;;
    *=*) printf '%s\n' "$1" >>"$models" ;;
    *) fail "'$1' is neither an option nor NAME=MODEL; see --help" 2 ;;
  esac
  shift
done
[ -s "$models" ] || fail 'give a model, NAME=MODEL; see --help' 2
need_tool jq
need_program

mkdir -p "$out"
echo 'name t size velocity slope largest_raw largest_rearranged difference' |
  tr ' ' '\t' >"$work/table"
while IFS= read -r one; do
  name=${one%%=*} model=${one#*=}
  "$few" tangent "$model" --data "$data" --teacher "${teacher:-$model}" --rows "$rows" --json \
    </dev/null >"$work/report" || fail "$model could not be measured"
  jq -r --arg name "$name" '.[] | [$name, (.from + .to) / 2, .size, .velocity, .slope,
    .largest_raw, .largest_rearranged, .difference] | @tsv' "$work/report" >>"$work/table"
done <"$models"
mv "$work/table" "$out/tangent.tsv"
echo "$out/tangent.tsv"
need_tool gnuplot 'only the table was written'
gnuplot -c "$here/tangent.gp" "$out/tangent.tsv" "$work/image" "$title"
mv "$work/image" "$out/tangent.png"
echo "$out/tangent.png"
