#!/bin/sh
# Writes the manual pages and shell completions that are installed. The program makes them from its
# option tables.
#   scripts/pages.sh PROGRAM FOLDER
set -eu
few=$1 to=$2
rm -rf "$to"
mkdir -p "$to/man1" "$to/bash" "$to/zsh" "$to/fish"
"$few" help --format man >"$to/man1/few.1"
for command in $("$few" help | sed -n 's/^  \([a-z]*\)  *[A-Z].*/\1/p'); do
  "$few" help --format man "$command" >"$to/man1/few-$command.1"
done
"$few" help --format bash >"$to/bash/few"
"$few" help --format zsh >"$to/zsh/_few"
"$few" help --format fish >"$to/fish/few.fish"
