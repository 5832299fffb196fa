#!/bin/sh
# Compares the estimates of `few plan` with the seconds, memory and disk space that runs of the
# recipes take.
#
#   bench/plan.sh [options] RECIPE ...
#     --few PATH        the program (build/release/few)
#     --set KEY=VALUE   sets a key of every recipe, such as steps=500; may be repeated
#     --out DIR         where the runs go (a new folder, which is removed afterwards)
#
# Prints one line per recipe and quantity: planned, taken, and their ratio, which should be from 0.8
# to 1.2. Runs train to their last step. For long recipes give --set steps=N, with N large enough
# that a run takes a minute. Run nothing else meanwhile. The exit code is 1 if a ratio is outside
# this range.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
few=$here/../build/release/few out='' sets='' recipes=''

while [ $# -gt 0 ]; do
  case $1 in
    --help | -h)
      print_help
      exit 0
      ;;
    --few | --set | --out)
      need_value "$@"
      case $1 in
        --few) few=$2 ;;
        --set) sets="$sets $2" ;;
        --out) out=$2 ;;
      esac
      shift 2
      ;;
    -*) fail "there is no option $1; see --help" 2 ;;
    *)
      recipes="$recipes $1"
      shift
      ;;
  esac
done
[ -n "$recipes" ] || fail "name recipes; see --help" 2

made=''
if [ -z "$out" ]; then
  out=$(mktemp -d)
  made=$out
fi
trap 'if [ -n "$made" ]; then rm -r "$made"; fi' EXIT
mkdir -p "$out"

number() { # FILE KEY
  grep -o "\"$2\": [^,}]*" "$1" | sed 's/.*: //'
}

# measure FILE COMMAND ...: writes the seconds and the peak resident memory of a command to a file.
measure() {
  python3 - "$@" <<'PY'
import resource, subprocess, sys, time
began = time.monotonic()
code = subprocess.run(sys.argv[2:], stdout=subprocess.DEVNULL).returncode
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
with open(sys.argv[1], 'w') as f:
    print('"seconds": %.3f\n"memory_bytes": %d' % (time.monotonic() - began, peak), file=f)
sys.exit(code)
PY
}

bad=0
line() { # RECIPE WHAT PLANNED TAKEN
  awk -v r="$1" -v what="$2" -v a="$3" -v b="$4" 'BEGIN {
    ratio = b > 0 ? a / b : 0
    printf "%-24s %-8s %14.6g %14.6g %8.2f\n", r, what, a, b, ratio
    exit !(ratio >= 0.8 && ratio <= 1.2) }' || bad=1
}

printf '%-24s %-8s %14s %14s %8s\n' recipe what planned taken ratio
for recipe in $recipes; do
  run=$out/$(basename "$recipe" .ini)
  # shellcheck disable=SC2086  # words
  (cd "$here/.." && "$few" plan "$recipe" $sets --json --quiet) >"$run.json"
  # shellcheck disable=SC2086
  (cd "$here/.." && measure "$run.taken" "$few" train "$recipe" $sets --run "$run" --quiet)
  line "$recipe" seconds "$(number "$run.json" seconds)" "$(number "$run.taken" seconds)"
  line "$recipe" memory "$(number "$run.json" memory_bytes)" "$(number "$run.taken" memory_bytes)"
  line "$recipe" disk "$(number "$run.json" disk_bytes)" "$(du -sb "$run" | cut -f1)"
done
exit $bad
