#!/bin/sh
# Shows whether models trained in bf16 are as good as those trained in fp32: trains the recipes of
# the Fashion-MNIST teacher, sCD and sCT in both precisions from equal seeds, measures the models,
# and makes a table (precision.md) and a plot of their progress (progress.png).
#
#   bench/precision.sh [options] [NAME ...]   names without "fashion-" (scd sct teacher)
#     --few PATH         the program (build/release/few)
#     --out DIR          where runs, distances, table and plot go (runs/precision)
#     --seeds "A B ..."  seeds of the runs ("1 2 3")
#     --precision P      only fp32 or bf16 (both); two calls may share DIR
#     --n N              images to evaluate (10000)
#     --workers W        threads (0: one per processor)
#     --set K=V          sets a key of every recipe, such as steps=20 for a quick test; may be
#                        repeated; NAME:K=V sets it for one recipe
#     --report           only make the table and the plot, of the results that exist
#
# A run that was stopped is resumed. Finished runs and results are kept. All models are sampled and
# measured in fp32, so that only the training differs; distances are to the held-out images. Needs
# jq, and gnuplot for the plot: scripts/install-deps.sh bench.
set -eu

. "$(dirname "$0")/common.sh"
few=build/release/few out=runs/precision n=10000 seeds='1 2 3' precisions='fp32 bf16' workers=0
settings='' names='' only_report=''

while [ $# -gt 0 ]; do
  case $1 in
    --report) only_report=yes ;;
    --help | -h)
      print_help
      exit 0
      ;;
    --few | --out | --n | --seeds | --precision | --workers | --set)
      need_value "$@"
      case $1 in
        --few) few=$2 ;;
        --out) out=$2 ;;
        --n) n=$2 ;;
        --seeds) seeds=$2 ;;
        --precision) precisions=$2 ;;
        --workers) workers=$2 ;;
        --set) settings="$settings $2" ;;
      esac
      shift
      ;;
    -*) fail "unknown option $1; see --help" 2 ;;
    *) names="$names $1" ;;
  esac
  shift
done
cd "$(dirname "$0")/.."
[ -n "$names" ] || names='scd sct teacher'
need_program
need_tool jq

# settings_of NAME: the keys set for a recipe.
settings_of() {
  for one in $settings; do
    case $one in
      "$1":*) echo "${one#*:}" ;;
      *:*=*) ;;
      *) echo "$one" ;;
    esac
  done
}

# how_of NAME: how its models are sampled: the teacher with its best solver, students in two steps.
how_of() {
  case $1 in
    teacher) echo '--steps 12 --sampler dpm2' ;;
    *) echo '--steps 2' ;;
  esac
}

# one NAME PRECISION SEED: trains and measures a model.
one() {
  run=$out/$1-$2-$3
  # shellcheck disable=SC2046 # words
  "$few" train "fashion-$1" --run "$run" --workers "$workers" --quiet precision="$2" seed="$3" \
    $(settings_of "$1")
  # shellcheck disable=SC2046
  fashion_distances "$run" "$run/model.safetensors" --metrics fd $(how_of "$1") --n "$n" \
    --seed "$3" --workers "$workers"
}

# distances NAME PRECISION FEATURES: the distance of each seed that is there, then mean and standard
# deviation.
distances() {
  for seed in $seeds; do
    json=$out/$1-$2-$seed.$3.json
    [ ! -e "$json" ] || jq '.numbers[] | select(.name == "fd") | .value' "$json"
  done | jq -rs 'def short: . * 1000 | round / 1000;
    (map(short | tostring) | join(" ")) as $each | length as $n |
    if $n == 0 then "| - | -" else (add / $n) as $mean |
      (map(. - $mean | . * .) | add / ([$n - 1, 1] | max) | sqrt | short) as $spread |
      "| \($each) | \($mean | short) ± \($spread)" end'
}

table() {
  echo '| recipe | trained in | fd, each seed | mean ± sd | fd by the judge | mean ± sd |'
  echo '|---|---|---|---|---|---|'
  for name in $names; do
    for precision in fp32 bf16; do
      echo "| \`fashion-$name\` | $precision $(distances "$name" $precision fashion) $(distances \
        "$name" $precision fashion-judge) |"
    done
  done
}

# progress: a line per log line: name, precision, seed, step, and the distance to the teacher of a
# student, or the mean squared error of a teacher.
progress() {
  printf 'name\tprecision\tseed\tstep\tvalue\n'
  for name in $names; do
    for precision in fp32 bf16; do
      for seed in $seeds; do
        log=$out/$name-$precision-$seed/log.jsonl
        [ ! -e "$log" ] || jq -r --arg name "$name" --arg precision $precision --arg seed "$seed" \
          'select(.mse and .step > 1) |
            [$name, $precision, $seed, .step, (.to_teacher // .mse)] | @tsv' "$log"
      done
    done
  done
}

mkdir -p "$out"
if [ -z "$only_report" ]; then
  for seed in $seeds; do
    for name in $names; do
      for precision in $precisions; do one "$name" "$precision" "$seed"; done
    done
  done
fi
table | tee "$out/precision.md"
progress >"$out/progress.tsv"
need_tool gnuplot 'progress.png was not drawn'
gnuplot -c bench/precision.gp "$out/progress.tsv" "$out/progress.png"
