#!/bin/sh
# Measures how the speed of whole steps depends on one setting at a time: runs `few bench --json`
# for several values of it, writes a table (SWEEP.tsv) and draws it (SWEEP.png).
#
#   bench/sweep.sh [options] [SWEEP ...]     all of: batch size channels tokens workers shards
#     --few PATH       the program (build/release/few)
#     --out DIR        where tables and images go (runs/sweep)
#     --net NAME       unet, dit or mlp, for all sweeps except `tokens`, which uses dit (unet)
#     --set KEY=VALUE  an option of the network; may be repeated
#     --case NAME,...  cases to time (infer,train,scd,sct)
#     --workers N      threads, for all sweeps except `workers` (one per processor)
#     --seconds T      how long to repeat each case (2)
#     --quick          a test of this script that takes seconds: tiny networks, few points
#     --draw           only draw the tables that exist
#
# Dashed lines: the speed expected if nothing else changed. batch, size, channels, tokens: each
# point at the best GFLOP/s of its case. workers: the speed of one worker times their number.
# shards: the best speed, scaled by the share of workers that are busy.
# Needs jq, and gnuplot for the images: scripts/install-deps.sh bench. Run nothing else meanwhile.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
all='batch size channels tokens workers shards'
few=$here/../build/release/few out=runs/sweep net=unet settings='' cases=infer,train,scd,sct
workers=0 seconds=2 quick='' draw_only=''

sweeps=
while [ $# -gt 0 ]; do
  case $1 in
    --quick) quick=yes ;;
    --draw) draw_only=yes ;;
    --help | -h)
      print_help
      exit 0
      ;;
    --few | --out | --net | --set | --case | --workers | --seconds)
      need_value "$@"
      case $1 in
        --few) few=$2 ;;
        --out) out=$2 ;;
        --net) net=$2 ;;
        --set) settings="$settings $2" ;;
        --case) cases=$2 ;;
        --workers) workers=$2 ;;
        --seconds) seconds=$2 ;;
      esac
      shift
      ;;
    batch | size | channels | tokens | workers | shards) sweeps="$sweeps $1" ;;
    *) fail "'$1' is neither an option nor one of $all; see --help" 2 ;;
  esac
  shift
done

# ---- the values of a sweep, and the settings that stay fixed ----

# plan SWEEP: sets points and the fixed settings. point SWEEP X: sets what X changes.
plan() {
  kind=$net size=32 batch=64 shards=8 threads=$workers
  case $1 in
    batch) points='1 2 4 8 16 32 64 128' ;;
    size) points='16 32 64 128' batch=8 ;;
    channels)
      batch=16 points='64 128 256 512 1024'
      [ "$kind" != unet ] || points='16 32 64 128 256'
      ;;
    tokens) kind=dit points='4 16 64 256 1024' batch=8 ;;
    workers) points=$(processors) ;;
    shards) points='1 2 4 8 16 32 64' ;;
  esac
  [ -z "$quick" ] || plan_quick "$1"
}

plan_quick() {
  size=8 batch=8 shards=4
  [ "$1" = tokens ] || kind=mlp
  case $1 in
    batch | shards) points='1 2 4 8' ;;
    size) points='4 8 16' ;;
    channels) points='16 32 64' ;;
    tokens) points='4 16 64' ;;
    workers) points='1 2' ;;
  esac
}

processors() { # 1 2 3 4 6 8 12 16 ..., and all of them
  most=$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
  n=1 step=1
  while [ "$n" -lt "$most" ]; do
    echo "$n"
    [ "$n" -lt $((4 * step)) ] || step=$((2 * step))
    n=$((n + step))
  done
  echo "$most"
}

side_of_square() { # square root, rounded up
  root=1
  while [ $((root * root)) -lt "$1" ]; do root=$((root + 1)); done
  echo "$root"
}

point() {
  extra=
  case $1 in
    batch) batch=$2 && [ "$shards" -le "$2" ] || shards=$2 ;;
    size | shards) eval "$1=$2" ;;
    workers) threads=$2 ;;
    channels) case $kind in
      unet) extra="channels=$2" ;;
      dit) extra="width=$2 heads=$((($2 + 63) / 64))" ;;
      *) extra="width=$2" ;;
    esac ;;
    tokens) extra="patch=$((size / $(side_of_square "$2")))" ;;
  esac
  [ -z "$quick" ] || [ "$1" != tokens ] || extra="$extra width=32 depth=1 heads=2"
}

# ---- tables ----

header='x case images_per_second seconds fastest gflop gflops_per_second share_of_peak arena_mib'
header="$header batch shards workers peak_gflops reference"

# measure SWEEP X: prints the rows of a point, without the reference.
measure() {
  plan "$1"
  point "$1" "$2"
  set -- "$2" "$few" bench --json --net "$kind" --size "$size" --batch "$batch" --shards "$shards" \
    --workers "$threads" --seconds "$seconds" --case "$cases"
  x=$1 && shift
  for word in $settings $extra; do set -- "$@" --set "$word"; done
  report=$("$@" </dev/null) || return 1
  printf '%s' "$report" | jq -r --arg x "$x" '. as $all | .results[] | [$x, .case,
    .images_per_second, .seconds, .fastest, .gflop, .gflops_per_second, .share_of_peak,
    .arena_bytes / 1048576, $all.batch, $all.shards, $all.machine.workers,
    $all.machine.peak_gflops] | @tsv'
}

# Adds the last column: rows from stdin to stdout.
add_reference() {
  awk -F '\t' -v OFS='\t' -v sweep="$1" '
    { row[NR] = $0; c = $2 }
    !(c in first) { first[c] = $3 / $1 }
    $3 > rate[c] { rate[c] = $3 }
    $7 > speed[c] { speed[c] = $7 }
    END {
      for (i = 1; i <= NR; i++) {
        $0 = row[i]; c = $2
        if (sweep == "workers") r = first[c] * $1
        else if (sweep == "shards") r = rate[c] * $1 / ($12 * int(($1 + $12 - 1) / $12))
        else r = $6 > 0 ? speed[c] * $10 / $6 : "NaN"
        print row[i], r
      }
    }'
}

# Prints the fixed settings, for the title.
held() {
  plan "$1"
  [ "$1" != tokens ] || [ -z "$quick" ] || settings="$settings width=32 depth=1"
  text=$kind
  for word in $settings; do text="$text $word"; done
  [ "$1" = size ] || text="$text, $size x $size x 3"
  [ "$1" = size ] && text="$text, 3 colours"
  case $1 in
    batch) text="$text, in at most $shards shards" ;;
    shards) text="$text, batch $batch" ;;
    *) text="$text, batch $batch in $shards shards" ;;
  esac
  echo "$text"
}

sweep() {
  sweep_points=$(plan "$1" && echo "$points")
  rows=$work/rows
  : >"$rows"
  for at in $sweep_points; do
    if ! (measure "$1" "$at") >"$work/point"; then
      echo "sweep: $1 $at could not be measured" >&2
      missed=yes
      continue
    fi
    cat "$work/point" >>"$rows"
    awk -F '\t' -v what="$1 $at" '{ list = list sprintf("%s %s %.4g", (NR > 1 ? "," : ""), $2, $3) }
      END { print what ":" list " images/s" }' "$work/point" >&2
  done
  [ -s "$rows" ] || fail "no point of $1 could be measured"
  {
    echo "# $(head -n 1 "$work/machine")"
    awk -F '\t' 'NR == 1 {
      printf "# %d worker%s, peak %.0f GFLOP/s\n", $12, ($12 > 1 ? "s" : ""), $13 }' "$rows"
    echo "# $(held "$1")"
    echo "$header" | tr ' ' '\t'
    add_reference "$1" <"$rows"
  } >"$work/table"
  mv "$work/table" "$out/$1.tsv"
}

# ---- images ----

draw() {
  reference='at the best GFLOP/s'
  case $1 in
    batch) title='Batch' label='batch, images' ;;
    size) title='Resolution' label='height and width, pixels' ;;
    channels) title='Width' label='channels (unet: of the first level)' ;;
    tokens) title='Tokens' label='tokens per image, (size / patch)²' ;;
    workers) title='Workers' label='workers, threads' reference='n times one worker' ;;
    shards) title='Shards' label='shards of the batch' reference='best, scaled by busy workers' ;;
  esac
  machine=$(sed -n '1s/^# //p' "$out/$1.tsv")
  [ "$1" = workers ] || machine="$machine, $(sed -n '2s/^# //p' "$out/$1.tsv")"
  gnuplot -c "$here/sweep.gp" "$out/$1.tsv" "$work/image" "$1" "$title" \
    "$(sed -n '3s/^# //p' "$out/$1.tsv")" "$machine" "$label" "$reference" &&
    mv "$work/image" "$out/$1.png"
}

# ---- main ----

if [ -n "$quick" ]; then
  seconds=0.01 cases=infer,train
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
missed=
if [ -z "$draw_only" ]; then
  need_tool jq
  need_program
  mkdir -p "$out"
  "$few" bench --net mlp --size 1 --batch 1 --shards 1 --seconds 0.01 --case infer --json |
    jq -r .machine.cpu >"$work/machine"
  for one in ${sweeps:-$all}; do sweep "$one"; done
fi
if command -v gnuplot >/dev/null; then
  for one in ${sweeps:-$all}; do
    [ -f "$out/$one.tsv" ] || continue
    draw "$one"
    echo "$out/$one.tsv $out/$one.png"
  done
else
  echo "sweep: gnuplot is missing, so only tables are in $out: scripts/install-deps.sh bench" >&2
  [ -z "$draw_only" ] || exit 1
fi
[ -z "$missed" ]
