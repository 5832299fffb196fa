/* lapack.h - the four routines of LAPACK that few calls, in one thread.
 *
 * With several threads, OpenBLAS sums in another order: the last digits would depend on the number
 * of processors and on the environment (OPENBLAS_NUM_THREADS). few is built with the serial variant
 * of OpenBLAS if there is one (cmake/optional.cmake), but a program may load another into the
 * process.
 *
 * Matrices are stored column by column, `lda` apart. Each call returns LAPACK's `info`: 0, or a
 * code for the error. A call with size -1 only writes the size of `work` to work[0]. Without LAPACK
 * (-DFEW_LAPACK=OFF) few__lapack_begin fails, and the others must not be called.
 */
#ifndef FEW_SRC_LAPACK_H
#define FEW_SRC_LAPACK_H

#include "base.h"

/* Use one thread from here on. Pass *threads to few__lapack_end, which restores the number of
 * threads that the program had set. After a failure, few__lapack_end may be called but need not be.
 * FEW_E_UNSUPPORTED without LAPACK. */
few_status few__lapack_begin(few_ctx *ctx, int *threads);
void few__lapack_end(int threads);

/* dgeqrf: a [m][n] = Q R, Householder; R is on and above the diagonal. */
int few__lapack_qr(int m, int n, double *a, int lda, double *tau, double *work, int size);
/* dgelsy: the minimum-norm x of |a x - b|, by QR with pivoting; b becomes x. */
int few__lapack_solve(int m, int n, double *a, int lda, double *b, int ldb, int *pivot,
                      double tolerance, int *rank, double *work, int size);
/* dsyevd: eigenvalues, ascending, and eigenvectors of a symmetric a [n][n], which they
 * overwrite. */
int few__lapack_eigen(int n, double *a, double *value, double *work, int size, int *ints,
                      int n_ints);
/* dgesdd: singular values, descending, of a [m][n], which is destroyed. `ints` has 8 min(m, n). */
int few__lapack_singular(int m, int n, double *a, double *value, double *work, int size, int *ints);

#endif
