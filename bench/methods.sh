#!/bin/sh
# Compares all methods on Fashion-MNIST: trains the recipes, samples and evaluates the models, and
# makes one table.
#
#   bench/methods.sh [options] [NAME ...]     names without "fashion-": scd cd meanflow ... (all)
#     --few PATH     the program (build/release/few)
#     --out DIR      where runs, images and tables go (runs/methods)
#     --n N          images to evaluate (10000)
#     --set K=V      sets a key of every recipe, such as steps=20 for a quick test; may be repeated
#     --table        only make the table, of the results that exist
#
# DIR/frontier.svg shows fd by the number of evaluations, of all methods and of the teacher.
#
# A run that was stopped is resumed. Finished runs and results are kept. The table in this script
# has the steps and the guidance with which each method is sampled. `teacher` and `student` are the
# models that come with few. The former is the teacher of the other students, and is sampled with
# its best solver. Distances are to the held-out images, in the features of
# two classifiers: `fashion`, which was used to choose recipes, and `fashion-judge`, which was not
# used for any choice. To compare times, run nothing else meanwhile.
set -eu

. "$(dirname "$0")/common.sh"
few=build/release/few out=runs/methods n=10000 settings='' only_table='' names=''

# Columns: method; its teacher ("-": the model that comes with few; "shipped": nothing is trained,
# because the model itself comes with few); numbers of steps to evaluate; guidance; sampler and
# schedule, if they are not those of the model.
methods() {
  cat <<'TABLE'
teacher       shipped       2,4,8,12 1 dpm2
student       shipped       1,2,4   1
scd           -             1,2,4   1
sct           -             1,2,4   1
cd            -             1,2     1
ct            -             1,2     1
ict           -             1,2     1
ect           -             1,2     1
dscm          -             1,2     1
direct        -             1       1
reflow        -             1,4,16  1 -    flow
progressive   -             1       1
guided        -             18      3
guided-steps  guided        2       3
shortcut      -             1,2,4,16 1
meanflow      -             1,2,4   1
flowmap       -             1,2,4,8 1
scd-segments  -             4       1
vsd           -             1       1
sid           -             1       1
adversarial   -             1       1
scd-vsd       -             1,2     1
vp            -             18      1
flow          -             18      1
edm           -             18      1
ddpm          -             18      1
TABLE
}

while [ $# -gt 0 ]; do
  case $1 in
    --table) only_table=yes ;;
    --help | -h)
      print_help
      exit 0
      ;;
    --few | --out | --n | --set)
      need_value "$@"
      case $1 in
        --few) few=$2 ;;
        --out) out=$2 ;;
        --n) n=$2 ;;
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
[ -n "$names" ] || names=$(methods | while read -r name rest; do echo "$name"; done)
need_program

# measure NAME MODEL STEPS GUIDANCE [SAMPLER|-] [SCHEDULE]: samples and evaluates a model.
measure() {
  taken=$1-$3 how="--steps $3 --guidance $4"
  [ "${5:--}" = - ] || how="$how --sampler $5"
  [ -z "${6:-}" ] || how="$how --schedule $6"
  # shellcheck disable=SC2086 # words
  [ -e "$out/$taken.png" ] ||
    "$few" sample "$2" $how --n 64 --seed 1 --out "$out/$taken.png" --quiet
  # shellcheck disable=SC2086
  fashion_distances "$out/$taken" "$2" --metrics fd,agreement,pr $how --n "$n"
}

# run NAME: trains and evaluates one method.
run() {
  line=$(methods | grep "^$1 ") || fail "there is no method $1"
  # shellcheck disable=SC2086 # words
  set -- $line
  name=$1 start=$2 steps=$3 model=$out/$1/model.safetensors
  shift 3
  if [ "$start" = shipped ]; then
    model=models/fashion-$name.safetensors
  else
    [ -e "recipes/fashion-$name.ini" ] || fail "there is no recipes/fashion-$name.ini"
    given=$settings
    [ "$start" = - ] || given="$given teacher=$out/$start/model.safetensors"
    # shellcheck disable=SC2086
    "$few" train "fashion-$name" --run "$out/$name" $given
  fi
  for k in $(echo "$steps" | tr , ' '); do measure "$name" "$model" "$k" "$@"; done
}

# Prints one line per result, with the time of training from its log.
table() {
  echo '| method | steps | evaluations | fd | fd, judge' \
    '| agreement | precision | recall | training |'
  echo '|---|---|---|---|---|---|---|---|---|'
  for json in "$out"/*.fashion.json; do
    [ -e "$json" ] || continue
    name=$(basename "$json" .fashion.json) judge=${json%.fashion.json}.fashion-judge.json
    [ -e "$judge" ] || continue
    run=${name%-*} log=$out/${name%-*}/log.jsonl minutes=-
    [ ! -e "$log" ] ||
      minutes=$(tail -n 1 "$log" | jq -r '(.seconds // 0) / 6 | round / 10 | tostring + " min"')
    jq -rs --arg run "$run" --arg steps "${name##*-}" --arg minutes "$minutes" '
      def value($k): .numbers[] | select(.name == $k) | .value * 1000 | round / 1000 | tostring;
      .[1] as $judge | .[0] |
      "| \($run) | \($steps) | \(.source.sampling.nfe) | \(value("fd")) | " +
      "\($judge | value("fd")) | \(value("agreement")) | \(value("precision")) | " +
      "\(value("recall")) | \($minutes) |"' \
      "$json" "$judge"
  done
}

mkdir -p "$out"
if [ -z "$only_table" ]; then
  for name in $names; do run "$name"; done
fi
table | tee "$out/methods.md"
"$few" plot "$out"/*.fashion.json --keys fd --log --out "$out/frontier.svg" --quiet
