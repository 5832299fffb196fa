#!/bin/sh
# Every method on Fashion-MNIST: trains the recipes, draws pictures, measures them, makes one table.
#
#   bench/methods.sh [options] [NAME ...]     names without "fashion-": scd cd meanflow ... (all)
#     --few PATH     the program (build/release/few)
#     --out DIR      runs, pictures and tables go here (runs/methods)
#     --n N          pictures measured (10000)
#     --set K=V      a key of every recipe, for a quick try: steps=20; may be repeated
#     --table        only the table of what is there
#
# A run that was stopped goes on; one that is done, and pictures that were measured, stay. What each
# method is sampled with stands below: steps, and the guidance where it is not 1. The teacher of the
# students is the one that comes with few. Distances are to the held-out pictures, in the features
# of few's own classifier. Let nothing else run if the seconds are to mean something.
set -eu

cd "$(dirname "$0")/.."
few=build/release/few out=runs/methods n=10000 settings='' only_table='' names=''

# method, where it starts if not at the shipped teacher, steps to measure, guidance, and the schedule
# of times where it is not the sampler's own
methods() {
  cat <<'TABLE'
scd           -             1,2,4   1
sct           -             1,2,4   1
cd            -             1,2     1
ct            -             1,2     1
ict           -             1,2     1
ect           -             1,2     1
dscm          -             1,2     1
direct        -             1       1
reflow        -             1,4,16  1 flow
progressive   -             1       1
guided        -             18      3
guided-steps  guided        2       3
shortcut      -             1,2,4,16 1
meanflow      -             1,2,4   1
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

fail() {
  echo "methods: $1" >&2
  exit "${2:-1}"
}

while [ $# -gt 0 ]; do
  case $1 in
    --table) only_table=yes ;;
    --help | -h)
      sed -n '2,/^set -eu/{/^#/s/^# \{0,1\}//p;}' "$0"
      exit 0
      ;;
    --few | --out | --n | --set)
      [ $# -gt 1 ] || fail "$1 wants a value; --help tells more" 2
      case $1 in
        --few) few=$2 ;;
        --out) out=$2 ;;
        --n) n=$2 ;;
        --set) settings="$settings $2" ;;
      esac
      shift
      ;;
    -*) fail "unknown option $1; --help tells more" 2 ;;
    *) names="$names $1" ;;
  esac
  shift
done
[ -n "$names" ] || names=$(methods | while read -r name rest; do echo "$name"; done)
[ -x "$few" ] || fail "there is no $few: make build, or --few PATH"

# measure NAME STEPS GUIDANCE SCHEDULE: pictures and figures of a run's model.
measure() {
  model=$out/$1/model.safetensors how="--steps $2 --guidance $3${4:+ --schedule $4}"
  # shellcheck disable=SC2086 # words
  [ -e "$out/$1-$2.png" ] ||
    "$few" sample "$model" $how --n 64 --seed 1 --out "$out/$1-$2.png" --quiet
  [ -e "$out/$1-$2.json" ] && return
  # shellcheck disable=SC2086
  "$few" eval "$model" --ref fashion-mnist:test --features fashion --metrics fd,agreement,pr \
    $how --n "$n" --json --quiet >"$out/$1-$2.json.part"
  mv "$out/$1-$2.json.part" "$out/$1-$2.json"
}

# run NAME: everything of one method.
run() {
  line=$(methods | grep "^$1 ") || fail "there is no method $1"
  # shellcheck disable=SC2086 # words
  set -- $line
  [ -e "recipes/fashion-$1.ini" ] || fail "there is no recipes/fashion-$1.ini"
  given=$settings
  [ "$2" = - ] || given="$given teacher=$out/$2/model.safetensors"
  # shellcheck disable=SC2086
  "$few" train "fashion-$1" --run "$out/$1" $given
  for steps in $(echo "$3" | tr , ' '); do measure "$1" "$steps" "$4" "${5:-}"; done
}

# One line a measurement, and the seconds that training took by its log.
table() {
  echo '| method | steps | evaluations | fd | agreement | precision | recall | training |'
  echo '|---|---|---|---|---|---|---|---|'
  for json in "$out"/*.json; do
    [ -e "$json" ] || continue
    name=$(basename "$json" .json) steps=${json##*-} run=${name%-*}
    seconds=$(tail -n 1 "$out/$run/log.jsonl" | jq -r '.seconds // 0')
    jq -r --arg run "$run" --arg steps "${steps%.json}" --arg seconds "$seconds" '
      def value($k): .numbers[] | select(.name == $k) | .value * 1000 | round / 1000 | tostring;
      "| \($run) | \($steps) | \(.source.sampling.nfe) | \(value("fd")) | \(value("agreement")) | \(value("precision")) | \(value("recall")) | \(($seconds | tonumber) / 60 | . * 10 | round / 10) min |"' \
      "$json"
  done
}

mkdir -p "$out"
if [ -z "$only_table" ]; then
  for name in $names; do run "$name"; done
fi
table | tee "$out/methods.md"
