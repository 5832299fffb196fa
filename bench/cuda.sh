#!/bin/sh
# Checks the CUDA backend on a machine with a GPU: whether its kernels are correct and stay within
# their memory, and how fast they are. A failure does not stop the other parts; the last lines list
# what failed.
#
#   bench/cuda.sh [options] [PART ...]     check sanitize bench attention peers train (all)
#     --build DIR    a build in which the target `tests` was built (build/release)
#     --out DIR      where the output of each part goes (runs/cuda)
#     --batch N      batch size of the U-Net for CIFAR-10 (512)
#     --seconds T    how long to repeat each case of the benchmarks (5)
#
#   check       the emulator's tests with the real library: each op with its derivatives, and whole
#               updates
#   sanitize    the first of these tests under compute-sanitizer
#   bench       the U-Net of EDM for CIFAR-10 (DDPM++), in fp32, tf32 and bf16, with profiles
#   attention   transformers with 4096 and with 256 positions: mostly attention, with its tangent
#   peers       the U-Net in few and in PyTorch, plain and compiled; needs PyTorch with CUDA
#   train       recipes/fashion-sct.ini for 50 steps on the CPU and on the GPU: losses side by side
set -u

here=$(cd "$(dirname "$0")/.." && pwd)
. "$here/bench/common.sh"
build=$here/build/release out=runs/cuda batch=512 seconds=5 parts='' failed=''

while [ $# -gt 0 ]; do
  case $1 in
    --help | -h)
      print_help
      exit 0
      ;;
    --build | --out | --batch | --seconds)
      need_value "$@"
      case $1 in
        --build) build=$2 ;;
        --out) out=$2 ;;
        --batch) batch=$2 ;;
        --seconds) seconds=$2 ;;
      esac
      shift
      ;;
    check | sanitize | bench | attention | peers | train) parts="$parts $1" ;;
    *) fail "there is no part $1; see --help" 2 ;;
  esac
  shift
done
few=$build/few
FEW_CUDA_LIBRARY=$build/libfew_cuda.so
export FEW_CUDA_LIBRARY
[ -x "$few" ] ||
  fail "there is no $few: cmake --build --preset release --target all tests, or give --build DIR"
[ -e "$FEW_CUDA_LIBRARY" ] ||
  fail "there is no $FEW_CUDA_LIBRARY: build on a machine with nvcc, cuBLAS and cuDNN"
mkdir -p "$out" || exit 1

# run NAME COMMAND ...: runs the command, with its output in OUT/NAME.txt.
run() {
  name=$1
  shift
  if "$@" >"$out/$name.txt" 2>&1; then
    echo "$name: ok"
  else
    echo "$name: exit code $?; the end of $out/$name.txt:"
    tail -n 5 "$out/$name.txt" | sed 's/^/  /'
    failed="$failed $name"
  fi
}

check() {
  run ops "$build/test/test_engine_backend_cuda_ops"
  run updates "$build/test/test_engine_backend_cuda_shards"
  run saving "$build/test/test_engine_backend_cuda_saving"
}

sanitize() {
  command -v compute-sanitizer >/dev/null || {
    echo 'sanitize: skipped: compute-sanitizer is not installed'
    return
  }
  for tool in memcheck racecheck; do
    run "sanitize-$tool" compute-sanitizer --tool $tool --error-exitcode 1 \
      "$build/test/test_engine_backend_cuda_ops"
  done
}

network() {
  name=$1
  shift
  for precision in fp32 tf32 bf16; do
    run "$name-$precision" "$few" bench --backend cuda --precision $precision --seconds "$seconds" \
      "$@"
    grep -E '^(infer|train|jvp|scd|sct) ' "$out/$name-$precision.txt"
    run "$name-$precision-profile" "$few" bench --backend cuda --precision $precision --seconds 1 \
      --profile "$@" # profiling waits after each kernel
  done
}

bench() {
  network unet --net unet --set channels=128 --set mults=2,2,2 --set blocks=4 --set attention=16 \
    --size 32 --channels 3 --batch "$batch" --shards 1 --case infer,train,scd,sct
}

attention() {
  network dit-4096 --net dit --set patch=2 --set width=512 --set depth=2 --set heads=8 --size 128 \
    --channels 4 --batch 8 --shards 1 --case jvp,train
  network dit-256 --net dit --set patch=2 --set width=512 --set depth=2 --set heads=8 --size 32 \
    --channels 4 --batch 128 --shards 1 --case jvp,train
}

peers() {
  python3 -c 'import torch; torch.cuda.init()' 2>/dev/null || {
    echo 'peers: skipped: python3 has no PyTorch with CUDA'
    return
  }
  for precision in tf32 bf16; do
    run "peers-$precision" "$here/bench/peers.py" --backend cuda --precision $precision \
      --compile --few "$few" \
      --set channels=128 --set mults=2,2,2 --set blocks=4 --batch "$batch" --seconds "$seconds" \
      --quiet
    cat "$out/peers-$precision.txt"
  done
}

train() {
  for backend in cpu cuda; do
    rm -rf "$out/train-$backend"
    run "train-$backend" "$few" train fashion-sct --run "$out/train-$backend" backend=$backend \
      steps=50 log_every=10 preview_every=0 checkpoint_every=50
  done
  paste "$out/train-cpu/log.jsonl" "$out/train-cuda/log.jsonl" |
    sed 's/.*"step":\([0-9]*\),"loss":\([^,]*\),.*"loss":\([^,]*\),.*/step \1: \2, \3/'
}

"$few" backend list
for part in ${parts:-check sanitize bench attention peers train}; do
  echo "== $part"
  $part
done
[ -z "$failed" ] || fail "failed:$failed"
