/* lapack.h - the four routines of LAPACK that few calls, in one thread.
 *
 * OpenBLAS with several threads sums in another order: the last digits would depend on the number
 * of processors and on the environment (OPENBLAS_NUM_THREADS). few is built with its serial variant
 * where there is one (cmake/optional.cmake), but a program may bring another into the process.
 *
 * Matrices are stored column by column, `lda` apart. Each call returns LAPACK's `info`: 0, or how
 * it failed. A call with size -1 only writes the size of `work` to work[0]. Without LAPACK
 * (-DFEW_LAPACK=OFF) few__lapack_begin fails, and the others are never reached.
 */
#ifndef FEW_SRC_LAPACK_H
#define FEW_SRC_LAPACK_H

#include "base.h"

/* Use one thread from here on. *threads is for few__lapack_end, which restores what the program
 * had; after a failure it need not be called, and may be. FEW_E_UNSUPPORTED without LAPACK. */
few_status few__lapack_begin(few_ctx *ctx, int *threads);
void few__lapack_end(int threads);

/* dgeqrf: a [m][n] = Q R, Householder; R is on and above the diagonal. */
int few__lapack_qr(int m, int n, double *a, int lda, double *tau, double *work, int size);
/* dgelsy: the minimum-norm x of |a x - b|, by QR with pivoting; b becomes x. */
int few__lapack_solve(int m, int n, double *a, int lda, double *b, int ldb, int *pivot,
                      double tolerance, int *rank, double *work, int size);
/* dsyevd: eigenvalues, rising, and eigenvectors, in place of a, of a symmetric a [n][n]. */
int few__lapack_eigen(int n, double *a, double *value, double *work, int size, int *ints,
                      int n_ints);
/* dgesdd: the singular values of a [m][n], falling; a is destroyed. `ints` has 8 min(m, n). */
int few__lapack_singular(int m, int n, double *a, double *value, double *work, int size, int *ints);

#endif
