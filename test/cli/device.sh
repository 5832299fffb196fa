# Models on an emulated device: images are close to those of the processor and do not depend on the
# batch. An unknown name is an error.
[ -n "${FEW_EMULATED:-}" ] || exit 0 # there is no emulated device
models=$here/../../models
few() { "$FEW_EMULATED" "$@" --quiet || { echo "few $*: exit $?"; exit 9; }; }
toy="sample $models/toy-labels-teacher.safetensors --sampler ddim --steps 3 --guidance 2 --seed 4"
few $toy --n 40 --out cpu.npy
few $toy --n 40 --out cuda.npy --backend cuda
few $toy --n 5 --first 20 --out part.npy --backend cuda
values() { tail -c $((8 * $2)) "$1" | od -An -v -t f4 -w8; } # of the last $2 points
cmp -s cpu.npy cuda.npy && { echo "the device computed nothing"; exit 9; }
values cpu.npy 40 >cpu.txt && values cuda.npy 40 >cuda.txt
paste cpu.txt cuda.txt | awk '
  ($1 - $3) ^ 2 + ($2 - $4) ^ 2 < 1e-8 { near++ }
  END { exit near != 40 }' || { paste cpu.txt cuda.txt; exit 9; }
sed -n 21,25p cuda.txt >some.txt && values part.npy 5 | cmp - some.txt || exit 9
"$few" sample $models/toy-labels-teacher.safetensors --out x.csv --backend tpu 2>&1
echo "exit $?"

# Features of images are close to those of the processor, and are computed on the device.
for seed in 1 2; do
  "$few" sample $models/fashion-student.safetensors --n 6 --seed $seed --out $seed.npy --quiet ||
    exit 9
done
for backend in cpu cuda; do
  few eval 1.npy --ref 2.npy --features fashion=$models/fashion-features.safetensors --metrics fd \
    --backend $backend --json 2>warned | tr , '\n' | sed -n 's/.*"value":\(.*\)/\1/p' >$backend.fd
done
cmp -s cpu.fd cuda.fd && { echo "the device computed no features"; exit 9; }
paste cpu.fd cuda.fd | awk '($1 - $2) ^ 2 < 1e-10 * $1 ^ 2 { near++ } END { exit near != 1 }' ||
  { paste cpu.fd cuda.fd; exit 9; }

# A run on the device: the same bits for any number of workers and after a stop, and close to the
# processor's.
train() {
  few train $here/../../recipes/toy-teacher.ini --run "$1" steps=6 batch=36 shards=3 width=16 \
    layers=2 \
    labels=yes checkpoint_every=2 preview_every=0 log_every=1 "$2" "$3"
}
train one backend=cuda workers=1
train two backend=cuda workers=2
train host backend=cpu workers=1
last=checkpoint-000000006.safetensors
cmp one/$last two/$last || exit 9
rm two/$last && train two backend=cuda workers=2
cmp one/$last two/$last || exit 9
losses() { sed 's/.*"loss":\([^,]*\),.*/\1/' "$1/log.jsonl"; }
losses one >one.txt && losses host >host.txt
paste one.txt host.txt | awk '($1 - $2) ^ 2 < 1e-8 { near++ } END { exit near != 6 }' ||
  { paste one.txt host.txt; exit 9; }

# few bench compares the device with its measured limits; a profile shows what limits each kernel.
"$FEW_EMULATED" bench --net mlp --size 1 --channels 2 --set width=16 --set layers=2 --batch 8 \
  --shards 2 \
  --seconds 0.01 --case infer,sct --profile --backend cuda --precision bf16 >bench || exit 9
grep -q "^an emulated GPU, .* GB/s$" bench && grep -q "^infer " bench && grep -q "^sct " bench &&
  grep -q " % memory *matmul " bench || { cat bench; exit 9; }
