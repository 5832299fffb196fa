#!/bin/sh
# Every C block of docs/guide.md compiles: guide.sh REPOSITORY COMPILER [flags ...]
set -eu
top=$1
shift
blocks=$(mktemp -d)
trap 'rm -rf "$blocks"' EXIT
awk -v to="$blocks" '/^```c$/ { n++; on = 1; next } /^```$/ { on = 0 } on { print > (to "/" n ".c") }' \
  "$top/docs/guide.md"
[ -e "$blocks/1.c" ] || { echo "guide: no C in docs/guide.md" >&2; exit 1; }
for block in "$blocks"/*.c; do
  "$@" -std=c11 -D_POSIX_C_SOURCE=200809L -Wall -Wextra -Werror -fsyntax-only \
    -I"$top/include" "$block"
done
