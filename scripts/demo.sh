#!/bin/sh
# The demonstration: scripts/demo.sh PROGRAM. Train a small model, then sample from it.
set -eu
cd "$(dirname "$0")/.."
few=${1:-build/release/few}
recipe=recipes/demo.ini

fail() {
  echo "demo: $*" >&2
  exit 1
}

[ -x "$few" ] || fail "there is no program $few: run make build (src/cli/ may hold no command yet)"
for command in train sample; do
  "$few" "$command" --help >/dev/null 2>&1 || fail "$few has no command '$command' yet"
done
[ -f "$recipe" ] || fail "there is no $recipe yet"

"$few" train "$recipe"
"$few" sample runs/demo
