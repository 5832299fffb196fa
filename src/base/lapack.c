/* lapack.c - LAPACK through LAPACKE; see lapack.h. */
#include "lapack.h"

#include <lapacke.h>

static_assert(sizeof(lapack_int) == sizeof(int), "LAPACK with 64-bit integers");

/* A function of OpenBLAS, which other libraries do not have. */
int openblas_get_num_threads(void);
void openblas_set_num_threads(int n);
#pragma weak openblas_get_num_threads
#pragma weak openblas_set_num_threads

few_status few__lapack_begin(few_ctx *ctx, int *threads) {
  FEW_UNUSED(ctx);
  *threads = openblas_get_num_threads ? openblas_get_num_threads() : 0;
  if (*threads > 1 && openblas_set_num_threads) openblas_set_num_threads(1);
  return FEW_OK;
}

void few__lapack_end(int threads) {
  if (threads > 1 && openblas_set_num_threads) openblas_set_num_threads(threads);
}

int few__lapack_qr(int m, int n, double *a, int lda, double *tau, double *work, int size) {
  return LAPACKE_dgeqrf_work(LAPACK_COL_MAJOR, m, n, a, lda, tau, work, size);
}

int few__lapack_solve(int m, int n, double *a, int lda, double *b, int ldb, int *pivot,
                      double tolerance, int *rank, double *work, int size) {
  return LAPACKE_dgelsy_work(LAPACK_COL_MAJOR, m, n, 1, a, lda, b, ldb, pivot, tolerance, rank,
                             work, size);
}

int few__lapack_eigen(int n, double *a, double *value, double *work, int size, int *ints,
                      int n_ints) {
  return LAPACKE_dsyevd_work(LAPACK_COL_MAJOR, 'V', 'L', n, a, n, value, work, size, ints, n_ints);
}

int few__lapack_singular(int m, int n, double *a, double *value, double *work, int size,
                         int *ints) {
  double unused;
  return LAPACKE_dgesdd_work(LAPACK_COL_MAJOR, 'N', m, n, a, m, value, &unused, 1, &unused, 1, work,
                             size, ints);
}
