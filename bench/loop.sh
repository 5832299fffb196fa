#!/bin/sh
# Compares self-consuming loops: runs `few loop` on a recipe once per kind, and draws distance,
# precision and recall by generation (loop.png).
#
#   bench/loop.sh [options] RECIPE [KEY=VALUE ...]
#     --few PATH        the program (build/release/few)
#     --kinds K,...     synthetic, augment, fresh, guided (synthetic,augment,fresh,guided)
#     --generations G   generations of each kind (5)
#     --real N          real samples of the first generation, and of later ones if they use any
#                       (2000)
#     --steps N         steps of the sampler (12)
#     --out DIR         one folder per kind, and the image (runs/loops)
#     --title TEXT      title of the image
#
# `guided` is `synthetic` with --guidance 1.5, a bias of lambda = 1/1.5. A loop that was stopped is
# resumed. The image needs gnuplot: scripts/install-deps.sh bench.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"
few=$here/../build/release/few kinds=synthetic,augment,fresh,guided generations=5 real=2000 steps=12
out=runs/loops title='' recipe=''

while [ $# -gt 0 ]; do
  case $1 in
    --help | -h)
      print_help
      exit 0
      ;;
    --few | --kinds | --generations | --real | --steps | --out | --title)
      need_value "$@"
      case $1 in
        --few) few=$2 ;;
        --kinds) kinds=$2 ;;
        --generations) generations=$2 ;;
        --real) real=$2 ;;
        --steps) steps=$2 ;;
        --out) out=$2 ;;
        --title) title=$2 ;;
      esac
      shift
      ;;
    -*) fail "there is no option $1; see --help" 2 ;;
    *) break ;;
  esac
  shift
done
[ $# -gt 0 ] || fail 'give a recipe; see --help' 2
recipe=$1
shift
need_program

tables=$(echo "$kinds" | tr , ' ')
for name in $tables; do
  case $name in
    guided) how='--kind synthetic --guidance 1.5' ;;
    *) how="--kind $name" ;;
  esac
  # shellcheck disable=SC2086 # words
  "$few" loop "$recipe" "$@" --run "$out/$name" --generations "$generations" --real "$real" \
    --steps "$steps" $how
done
need_tool gnuplot 'loop.png was not drawn'
set --
for name in $tables; do set -- "$@" "$out/$name/loop.csv"; done
gnuplot -c "$here/loop.gp" "$out/loop.png" "${title:-$(basename "$recipe" .ini)}" "$@"
echo "$out/loop.png"
