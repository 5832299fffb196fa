/* lapack.h - LAPACK in one thread.
 *
 * OpenBLAS with several threads sums in another order, so last digits would follow the number of
 * processors and the environment (OPENBLAS_NUM_THREADS). few is built with its serial variant where
 * there is one (lapack.cmake); a program may bring another into the process all the same.
 */
#ifndef FEW_SRC_LAPACK_H
#define FEW_SRC_LAPACK_H

#include <lapacke.h>

/* OpenBLAS's own; missing in other libraries. */
int openblas_get_num_threads(void);
void openblas_set_num_threads(int n);
#pragma weak openblas_get_num_threads
#pragma weak openblas_set_num_threads

/* One thread from here on; returns what few__lapack_end gives back to the program. */
static inline int few__lapack_begin(void) {
  const int before = openblas_get_num_threads ? openblas_get_num_threads() : 0;
  if (before > 1 && openblas_set_num_threads) openblas_set_num_threads(1);
  return before;
}
static inline void few__lapack_end(int before) {
  if (before > 1 && openblas_set_num_threads) openblas_set_num_threads(before);
}

#endif
