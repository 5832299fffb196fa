#!/bin/sh
# Install few into a scratch folder; then compile, link and run a user's program with pkg-config.
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
