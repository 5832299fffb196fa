#!/usr/bin/env bash
# One slow check: test/slow/run.sh PROGRAM CASE.
#
# CASE.sh runs with bash -eu in an empty folder. $few is the program, $source the root of the
# sources, $here this folder. It passes when it exits with 0, and is skipped when it exits with 77:
# the last line that it printed says what is missing.
set -uo pipefail
few=$(realpath "$1") here=$(cd "$(dirname "$0")" && pwd) source=$(cd "$(dirname "$0")/../.." && pwd)
export few here source
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
unset FEW_WORKERS FEW_CPU_ISA
cd "$folder" || exit 1
bash -eu -o pipefail "$here/$2.sh" </dev/null
code=$?
[ $code -eq 0 ] || [ $code -eq 77 ] || echo "again: test/slow/run.sh $1 $2"
exit $code
