# common.sh - what the scripts of bench/ share. A script sources it after `set`, before its options.

# fail TEXT [CODE]: prints the error and ends the script.
fail() {
  echo "$(basename "$0" .sh): $1" >&2
  exit "${2:-1}"
}

# print_help: prints the comment at the head of the script, up to `set`.
print_help() { sed -n '2,/^set -/{/^#/s/^# \{0,1\}//p;}' "$0"; }

# need_value "$@": fails if no value follows the option $1.
need_value() { [ $# -gt 1 ] || fail "$1 needs a value; see --help" 2; }

# need_program: fails if $few is not an executable file.
need_program() {
  [ -x "$few" ] || fail "there is no program $few: run make build, or give --few PATH"
}

# need_tool NAME [CONSEQUENCE]: fails if the program NAME of another package is not installed.
need_tool() {
  command -v "$1" >/dev/null || fail "$1 is missing${2:+, so $2}: scripts/install-deps.sh bench"
}

# fashion_distances BASE MODEL OPTION ...: measures a model on the held-out images, in the features
# of both classifiers: BASE.fashion.json and BASE.fashion-judge.json. A file that exists is kept.
fashion_distances() {
  base=$1 measured=$2
  shift 2
  for features in fashion fashion-judge; do
    json=$base.$features.json
    [ ! -e "$json" ] || continue
    "$few" eval "$measured" --ref fashion-mnist:test --features $features "$@" --json --quiet \
      >"$json.part"
    mv "$json.part" "$json"
  done
}
