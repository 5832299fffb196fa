#!/usr/bin/env bash
# One test of the program: test/cli/run.sh PROGRAM CASE [other files it may use].
#
# CASE.sh runs with sh in an empty folder. $few is the program, $here is this folder. Its stdout
# must be CASE.stdout.exact to the byte, or match CASE.stdout.glob, in which * stands for any text
# and ? for any character. The same holds for stderr. The exit code must be that in CASE.exit, or
# else 0.
#   FEW_FIX=1 test/cli/run.sh PROGRAM CASE    rewrites the .exact files that are there
set -uo pipefail
few=$(realpath "$1") here=$(cd "$(dirname "$0")" && pwd) name=$2
export few here
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/in"
unset FEW_WORKERS
(cd "$folder/in" && exec sh -u "$here/$name.sh") >"$folder/stdout" 2>"$folder/stderr" </dev/null
code=$?

failed=
for stream in stdout stderr; do
  expected=$here/$name.$stream
  if [ -f "$expected.exact" ]; then
    [ -z "${FEW_FIX:-}" ] || cp "$folder/$stream" "$expected.exact"
    diff -u "$expected.exact" "$folder/$stream" || failed=yes
  elif [ -f "$expected.glob" ]; then
    pattern=$(sed 's/[][\\]/\\&/g' "$expected.glob")
    if [[ $(cat "$folder/$stream") != $pattern ]]; then
      echo "$stream does not match test/cli/$name.$stream.glob; it is:" && cat "$folder/$stream"
      failed=yes
    fi
  fi
done
wanted=0
[ ! -f "$here/$name.exit" ] || wanted=$(cat "$here/$name.exit")
if [ "$code" != "$wanted" ]; then
  echo "exit code $code, not $wanted; stderr:" && cat "$folder/stderr"
  failed=yes
fi
[ -z "$failed" ] || { echo "again: test/cli/run.sh $1 $name"; exit 1; }
