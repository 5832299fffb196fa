# The list of backends and the ops that each lacks. A missing library for GPUs is reported, but not
# needed.
"$few" backend list >all || exit 9
grep -q "^ref  *plain loops" all && grep -q "^cpu " all && grep -q "^cuda " all || exit 9
grep -c "kernels for \([0-9]*\) of \1 ops in f32" all | grep -q "^[23]$" || { cat all; exit 9; }
FEW_CUDA_LIBRARY=./none.so "$few" backend list >none || exit 9
grep -A 1 "^cuda " none | grep -q "not available: .*none.so" || { cat none; exit 9; }
FEW_CUDA_LIBRARY=./none.so "$few" train "$here/../../recipes/toy-teacher.ini" --run r backend=cuda \
  --quiet 2>&1 | sed 's/here: .*/here/'
# A truncated library is reported if the backend is requested, and otherwise not opened.
so=$(ldd "$few" | sed -n 's/.*=> \(.*libz\.so[^ ]*\).*/\1/p')
for size in 10 64 5000 70000; do
  head -c $size "$so" >cut.so
  FEW_CUDA_LIBRARY=./cut.so "$few" backend list >none || exit 9
  grep -A 1 "^cuda " none | grep -q "not available: ./cut.so: it is cut short" ||
    { cat none; exit 9; }
  FEW_CUDA_LIBRARY=./cut.so "$few" train "$here/../../recipes/toy-teacher.ini" --run r \
    backend=cpuu --quiet 2>/dev/null && exit 9
  [ $? -lt 126 ] || exit 9
done
mkdir lib && mv cut.so lib/libfew_cuda.so
cp "$few" alone # a library beside the program comes first
LD_LIBRARY_PATH=lib ./alone backend list | grep -A 1 "^cuda " |
  grep -q "lib/libfew_cuda.so: it is cut short" || exit 9
echo "text" >lib/text.so
FEW_CUDA_LIBRARY=lib/text.so "$few" backend list | grep -q "lib/text.so: it is" || exit 9
"$few" backend lost 2>&1
echo "exit $?"
