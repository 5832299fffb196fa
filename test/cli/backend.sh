# What computes is listed with what it lacks; a GPU's library that is not there is told, not needed.
"$few" backend list >all || exit 9
grep -q "^ref  *plain loops" all && grep -q "^cpu " all && grep -q "^cuda " all || exit 9
grep -c "kernels for \([0-9]*\) of \1 ops in f32" all | grep -q "^[23]$" || { cat all; exit 9; }
FEW_CUDA_LIBRARY=./none.so "$few" backend list >none || exit 9
grep -A 1 "^cuda " none | grep -q "not here: .*none.so" || { cat none; exit 9; }
FEW_CUDA_LIBRARY=./none.so "$few" train "$here/../../recipes/toy-teacher.ini" --run r backend=cuda --quiet 2>&1 | sed 's/here: .*/here/'
"$few" backend lost 2>&1
echo "exit $?"
