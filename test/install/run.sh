#!/bin/sh
# One test of the installed package: run.sh NAME BUILD_FOLDER C_COMPILER [flags ...] runs NAME.sh in
# a folder of its own, with
#   $source $build   few's sources, and the folder that it was built in
#   $prefix $lib     where install.sh installed it, which comes first, and the folder of libfew.a
#   $@               the C compiler with the flags of the build
# Exit code 77: what the test needs is not here.
set -eu
name=$1
build=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
source=$(cd "$here/../.." && pwd)
prefix=$build/test/install/prefix
work=$build/test/install/$name
[ "$name" = install ] || rm -rf "$work"
mkdir -p "$work"
cd "$work"
if [ "$name" != install ]; then
  lib=$(dirname "$(find "$prefix" -name libfew.a)")
  PKG_CONFIG_PATH=$lib/pkgconfig
  export PKG_CONFIG_PATH
fi
. "$here/$name.sh"
