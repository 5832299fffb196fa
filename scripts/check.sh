#!/usr/bin/env bash
# Checks that must pass before a push:
#   scripts/check.sh [--fix] [format layers sizes rules docs clang symbols isa cppcheck]
# Each check prints one line per violation: file, line, and how to fix it. With --fix (or --mend)
# clang-format rewrites the sources.
set -uo pipefail
cd "$(dirname "$0")/.."
export PYTHONDONTWRITEBYTECODE=1
jobs=$(nproc 2>/dev/null || echo 2)

c_files() { # files that are tracked, or new and not ignored, and that exist
  git ls-files -co --exclude-standard -- '*.c' '*.h' '*.cu' '*.cuh' | sort -u |
    while read -r f; do [ -f "$f" ] && echo "$f"; done
}

check_format() {
  if [ -n "$fix" ]; then
    c_files | xargs -r clang-format -i
    return
  fi
  local format=clang-format # other versions format differently
  command -v clang-format-14 >/dev/null && format=clang-format-14
  case $($format --version) in
    *"version 14."*) ;;
    *) echo "note: skipped: needs clang-format 14, found $($format --version)"; return ;;
  esac
  c_files | xargs -r $format --dry-run -Werror 2>&1 | awk -F: '
    / error: / { if (!($1 in lines)) { order[++n] = $1; first[$1] = $2 }; lines[$1]++ }
    END {
      for (i = 1; i <= n; i++)
        printf "%s:%d: %d places differ from clang-format: make format\n", \
               order[i], first[order[i]], lines[order[i]]
      exit n > 0
    }'
}

check_layers() { scripts/check/layers.py; }
check_sizes() { scripts/check/sizes.py; }
check_rules() { scripts/check/rules.py; }
check_docs() { scripts/check/docs.py; }

# clang, and in the same build clang-tidy on src/. ninja rebuilds only what changed.
check_clang() {
  local out=build/clang/check.txt stamp=build/clang/tidy.stamp fresh=
  mkdir -p build/clang
  cmake --preset clang >"$out" 2>&1 || { cat "$out"; return 1; }
  # For ninja, objects do not depend on .clang-tidy.
  [ -e "$stamp" ] && [ ! .clang-tidy -nt "$stamp" ] || fresh=--clean-first
  cmake --build --preset clang $fresh -j "$jobs" -- -k 0 >"$out" 2>&1 && { touch "$stamp"; return; }
  touch "$stamp"
  sed "s|^$PWD/||" "$out" | sed -nE 's/^([^ :]+:[0-9]+):[0-9]+: (warning|(fatal )?error): /\1: /p' |
    sort -u | grep . || cat "$out"
  return 1
}

check_symbols() {
  local library=build/clang/libfew.a
  [ -f $library ] || { echo "no $library: fix the check clang first"; return 1; }
  scripts/check/symbols.py $library
}

check_isa() {
  local library=build/clang/libfew.a
  [ -f $library ] || { echo "no $library: fix the check clang first"; return 1; }
  scripts/check/isa.py build/clang
}

check_cppcheck() {
  mkdir -p build/cppcheck
  cppcheck --enable=warning,performance,portability --inline-suppr --std=c11 --error-exitcode=1 \
    --suppressions-list=scripts/cppcheck.txt --max-configs=4 --cppcheck-build-dir=build/cppcheck \
    -D_POSIX_C_SOURCE=200809L -U_WIN32 -U__cplusplus -Iinclude -Isrc -j "$jobs" --quiet \
    --template='{file}:{line}: {message} [{id}]' src 2>&1
}

fix=
case ${1:-} in --fix | --mend) fix=yes; shift ;; esac
failed=
for name in "${@:-format layers sizes rules docs clang symbols isa cppcheck}"; do
  for one in $name; do
    declare -F "check_$one" >/dev/null || { echo "check.sh: there is no check '$one'" >&2; exit 2; }
    start=$SECONDS
    if out=$("check_$one"); then state=ok; else state=FAILED failed="$failed $one"; fi
    printf '%-9s %s (%d s)\n' "$one" "$state" $((SECONDS - start))
    [ -z "$out" ] || printf '%s\n' "$out" | sed 's/^/  /'
  done
done
[ -z "$failed" ] || { echo "make check: failed:$failed" >&2; exit 1; }
