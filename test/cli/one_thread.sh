# Numbers do not depend on the number of threads that the environment gives to LAPACK. With little
# memory the program ends with an error. (OpenBLAS with threads would wait forever for threads that
# it could not start.)
ask() {
  "$few" eval fashion-mnist --ref fashion-mnist:test --n 900 --n-ref 900 --metrics fd \
    --features pixels --json --quiet | sed 's/"seconds":[^,}]*//'
}
OPENBLAS_NUM_THREADS=1 ask >one || exit 9
OPENBLAS_NUM_THREADS=4 ask >four || exit 9
cmp one four || exit 9
ldd "$few" | grep -q 'lib[atu]*san' && exit 0 # sanitizers reserve terabytes
(ulimit -v 102400 && timeout 20 "$few" version >/dev/null) || exit 9
