#!/bin/sh
# The program on another x86 processor: test/processors/run.sh PROGRAM QEMU PROCESSOR KERNELS.
# QEMU (qemu-x86_64) stops at the first instruction that PROCESSOR lacks, as the processor does.
# KERNELS is the set that few must choose there. Results are not compared here: test/engine/backend/
# tests the kernels of every set.
set -eu
few=$(realpath "$1") qemu=$2 processor=$3 kernels=$4
cli=$(cd "$(dirname "$0")/../cli" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export FEW_WORKERS=1
unset FEW_CPU_ISA

# on_it ARGUMENT ...: runs few on PROCESSOR. Removes qemu's warnings about features that it lacks.
on_it() {
  "$qemu" -cpu "$processor" "$few" "$@" >stdout 2>stderr || {
    code=$?
    grep -v "TCG doesn't support" stderr || true
    echo "again: $qemu -cpu $processor $few $*: exit code $code" \
      "(132 and 4: the processor lacks an instruction)"
    exit 1
  }
}

on_it version
grep -qx "CPU kernels: $kernels" stdout ||
  { cat stdout; echo "not the kernels for $processor: $kernels"; exit 1; }
on_it train "$cli/moons.ini" --run points --quiet steps=3 batch=16 data_limit=100 log_every=1
[ "$(grep -c '"loss":[0-9]' points/log.jsonl)" -ge 3 ] ||
  { cat points/log.jsonl; echo 'no losses'; exit 1; }
on_it eval points/model.safetensors --ref toy:moons --n-ref 16 --n 16 --steps 1 --metrics energy
on_it train "$cli/tiny-unet.ini" --run images --quiet steps=1 batch=1 shards=1 data_limit=8
on_it sample images/model.safetensors --n 1 --steps 1 --out one.png
[ -s one.png ] || { echo 'no image'; exit 1; }
