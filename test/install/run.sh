#!/bin/sh
# Install few into a scratch folder; then compile, link and run a user's program with pkg-config, and
# the one that README.md shows with a model that the installed program trains.
#   run.sh BUILD_FOLDER C_COMPILER [flags ...]
set -eu
build=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
prefix=$build/test/install/prefix
rm -rf "$prefix"
cmake --install "$build" --prefix "$prefix" >/dev/null
PKG_CONFIG_PATH=$(dirname "$(find "$prefix" -name few.pc)")
export PKG_CONFIG_PATH
# shellcheck disable=SC2046,SC2086  # flags are words
"$@" "$here/user.c" -o "$build/test/install/user" $(pkg-config --cflags --libs few)
"$build/test/install/user"

[ -x "$prefix/bin/few" ] || exit 0
cd "$build/test/install"
rm -rf run clothes clothes2 images.png
"$prefix/bin/few" train "$here/../cli/moons.ini" --run run --quiet steps=5
rm -rf runs # a recipe that was installed, by its name
"$prefix/bin/few" train toy-teacher --run runs/toy --quiet steps=1 preview_every=0
"$prefix/bin/few" train toy-scd --run runs/scd --quiet steps=1 tangent_warmup=0 preview_every=0
# The features that come with few, from where they were installed.
"$prefix/bin/few" train "$here/../cli/tiny-unet.ini" --run clothes --quiet data=fashion-mnist data_limit=64 steps=1
"$prefix/bin/few" eval clothes/model.safetensors --ref fashion-mnist:test --n-ref 32 --features fashion \
  --n 16 --steps 1 --metrics fd 2>/dev/null | grep '^fd '
"$prefix/bin/few" train fashion-sct --run clothes2 --quiet batch=8 data_limit=64 steps=1 tangent_warmup=0 \
  preview_every=0 eval_every=1 eval_n=8 eval_steps=1 eval_ref=fashion-mnist:test
grep '"features":"fashion"' clothes2/log.jsonl
sed -n '/^```c$/,/^```$/p' "$here/../../README.md" | grep -v '^```' >readme.c
# shellcheck disable=SC2046
"$@" readme.c -o readme $(pkg-config --cflags --libs few)
./readme run/model.safetensors
test -s images.png
if ./readme missing.safetensors 2>message; then exit 1; fi
grep missing.safetensors message
