/* without_lapack.c - replaces lapack.c with -DFEW_LAPACK=OFF. */
#include "lapack.h"

few_status few__lapack_begin(few_ctx *ctx, int *threads) {
  *threads = 0;
  return few__fail(ctx, FEW_E_UNSUPPORTED,
                   "this needs LAPACK, and this libfew was built without it: build it with "
                   "-DFEW_LAPACK=ON");
}

void few__lapack_end(int threads) { FEW_UNUSED(threads); }

static int never(void) {
  assert(!"few__lapack_begin has failed");
  return -1;
}

int few__lapack_qr(int m, int n, double *a, int lda, double *tau, double *work, int size) {
  (void)m, (void)n, (void)a, (void)lda, (void)tau, (void)work, (void)size;
  return never();
}

int few__lapack_solve(int m, int n, double *a, int lda, double *b, int ldb, int *pivot,
                      double tolerance, int *rank, double *work, int size) {
  (void)m, (void)n, (void)a, (void)lda, (void)b, (void)ldb, (void)pivot;
  (void)tolerance, (void)rank, (void)work, (void)size;
  return never();
}

int few__lapack_eigen(int n, double *a, double *value, double *work, int size, int *ints,
                      int n_ints) {
  (void)n, (void)a, (void)value, (void)work, (void)size, (void)ints, (void)n_ints;
  return never();
}

int few__lapack_singular(int m, int n, double *a, double *value, double *work, int size,
                         int *ints) {
  (void)m, (void)n, (void)a, (void)value, (void)work, (void)size, (void)ints;
  return never();
}
