# shellcheck disable=SC2086  # words
# The table and JSON of a small network. Batches that cannot be divided into shards are usage
# errors.
net="--net mlp --size 1 --channels 2 --batch 8 --shards 2 --seconds 0.05"
"$few" bench $net --case infer,train >a || exit 9
grep -q "^infer " a && grep -q "^train " a || exit 9
"$few" bench $net --case jvp --json | grep -q '"case": "jvp".*"share_of_peak": ' || exit 9
"$few" bench $net --case jvp,sct --profile >a || exit 9
grep -q "[0-9]  matmul \[4,128\] < " a && grep -q "[0-9]  fused$" a || exit 9
"$few" bench $net --case train --profile --json | grep -q '"op": "matmul".*"gbyte": ' || exit 9
"$few" bench $net --case train --backend ref >a || exit 9
grep -q ", backend ref, fp32$" a && grep -q "^train " a || exit 9
"$few" bench $net --case infer --json | grep -q '"backend": "cpu"' || exit 9
"$few" bench $net --backend gpu 2>&1 >/dev/null
echo "exit $?"
"$few" bench $net --batch 9 2>&1
echo "exit $?"
"$few" bench $net --case infr 2>&1
echo "exit $?"
"$few" bench --net resnet 2>/dev/null >a
echo "exit $?"
FEW_CPU_ISA=base "$few" version | grep -q "^CPU kernels: base$" || exit 9
FEW_CPU_ISA=mmx "$few" version 2>&1 | sed 's/uses .*/uses/'
