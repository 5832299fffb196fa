#!/bin/sh
# built.sh BUILD: checks what `make build` makes (the target all): the program and the library, but
# no tests, no fuzzers and no emulated CUDA.
set -eu
found=$(ninja -C "$1" -t inputs all | grep -v '^[./]' | sort)
for needed in CMakeFiles/few_program libfew.a; do
  echo "$found" | grep -q "$needed" || { echo "$needed is not made"; exit 1; }
done
if echo "$found" | grep -E "(^|_)test[_/]|fuzz|emulated|bench_"; then
  echo "this is made too"
  exit 1
fi
