#!/bin/sh
# Installs the Debian packages that few needs and that are missing. Prints nothing if none is
# missing.
#   scripts/install-deps.sh [build] [test] [check] [slow] [bench] [docs]
#   scripts/install-deps.sh --names GROUP ...    only prints the names of the packages
set -eu
names=
[ "${1:-}" = --names ] && { names=yes; shift; }

# package, group, purpose
packages='
gcc                    build  the C compiler
libc6-dev              build  the C library
cmake                  build  the build
ninja-build            build  the build
pkg-config             build  finds the libraries below
zlib1g-dev             build  gzip and PNG
libxxhash-dev          build  checksums of checkpoints and models
libzip-dev             build  zip archives: PyTorch files, npz (not with -DFEW_ZIP=OFF)
libpng-dev             build  PNG images
libjpeg-dev            build  JPEG images (not with -DFEW_JPEG=OFF)
libwebp-dev            build  WebP images (not with -DFEW_WEBP=OFF)
libjansson-dev         build  JSON: model metadata, run logs
liblapacke-dev         build  Frechet distances, fitted schedules (not with -DFEW_LAPACK=OFF)
libopenblas-serial-dev build  makes LAPACK fast, in one thread
libcmocka-dev          test   the tests
g++                    test   the kernels of GPUs on the host, for their tests
libtcc-dev             test   compiles their pointwise programs there
qemu-user              test   runs the program as on processors with fewer instructions
dataset-fashion-mnist  build  the data of the demonstration and of some tests
git                    check  lists the files to check
python3                check  runs the checks of layers, sizes and rules
python3-venv           test   tries the Python package
clang                  check  a second compiler
clang-format           check  the layout of the code
clang-tidy             check  static analysis
cppcheck               check  static analysis
gcc-aarch64-linux-gnu  slow   builds for another architecture, which qemu-user runs
libc6-dev-arm64-cross  slow   its start files
graphviz               docs   draws the rooms of the code
jq                     bench  reads what few bench --json prints
gnuplot-nox            bench  draws the sweeps
python3-torch          bench  PyTorch, to compare with (bench/peers.py --help lists what pip has)
python3-numpy          bench  its arrays
libopenblas0-openmp    bench  the BLAS that PyTorch is fastest with
'

groups=" ${*:-build} "
wanted=$(echo "$packages" | while read -r name group _; do
  case $groups in *" $group "*) [ -z "$name" ] || echo "$name" ;; esac
done)
[ -z "$names" ] || { echo "$wanted"; exit 0; }

if ! command -v dpkg-query >/dev/null 2>&1; then
  # Not Debian. The build reports what it cannot find.
  [ -n "${FEW_NO_APT:-}" ] ||
    echo "install-deps: there is no dpkg, so nothing is installed. few needs" \
    "these Debian packages or their like:" $wanted "(set FEW_NO_APT=1 to hide this message)" >&2
  exit 0
fi

# shellcheck disable=SC2086  # one argument per package
present=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $wanted 2>/dev/null |
  sed -n 's/ installed$//p') || true
missing=$(echo "$wanted" | while read -r name; do
  echo "$present" | grep -qx "$name" || echo "$name"
done)
[ -n "$missing" ] || exit 0

echo "few needs these Debian packages, which are not installed:" >&2
for name in $missing; do
  echo "$packages" | sed -n "s/^\($name\) *[a-z]*  */  \1: /p" >&2
done

as_root=
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null 2>&1; then
    echo "This needs root or sudo. As root, run: apt-get install" $missing >&2
    exit 1
  fi
  as_root=sudo
fi
echo "Installing them with apt (${as_root:-as root}) ..." >&2
apt="$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq"
# shellcheck disable=SC2086
if ! { $apt update && $apt install -y --no-install-recommends $missing >&2; }; then
  echo "apt failed. Fix its error, or install the packages by hand: apt-get install" $missing >&2
  exit 1
fi
