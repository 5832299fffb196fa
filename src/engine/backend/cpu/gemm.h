/* gemm.h - products of small matrices: the register tile under MATMUL and the convolutions.
 *
 * A tile is C[m x n] (+)= A[m x k] B[k x n] with m <= GEMM_M rows and n <= GEMM_N columns, held in
 * registers over the whole of k. Each element is one chain of multiply-adds with k ascending, for
 * every m, n and position in the tile. So a row gets the same bits whatever rows are computed with
 * it.
 *
 *     B, C   rows of floats, bs and cs apart. All GEMM_N columns of B (GEMM_W if n <= GEMM_W) must
 *            be readable; only n columns of C are written.
 *     A      in one of two layouts, with W = VF_W.
 *            Chunks: W consecutive k of each of GEMM_M rows, then the next W:
 *            a(i,k) = a[(k / W * GEMM_M + i) * W + k % W]. A row of an NHWC tensor is copied into
 *            this layout by whole vectors, and the tile reads it with one pointer.
 *            Columns: a(i,k) = a[k as + i].
 */
#ifndef FEW_SRC_CPU_GEMM_H
#define FEW_SRC_CPU_GEMM_H

#include "cpu.h"
#include "vec.h"

/* Sixteen registers hold 6 x 2 sums and thirty-two hold 14 x 2, with a row of B (two registers) and
 * an element of A beside them. Without fused multiply-adds the products need registers too. */
#if VF_W == 16
enum { GEMM_M = 14 };
#elif VF_HAS_FMA
enum { GEMM_M = 6 };
#else
enum { GEMM_M = 4 };
#endif
enum { GEMM_W = VF_W, GEMM_N = 2 * VF_W };

struct few_tile {
  const float *a, *b;
  float *c;
  int64_t as, bs, cs; /* distances of rows; `as` is used for the layout columns only */
  int64_t k;
  int m, n;
  bool add; /* add to C instead of overwriting it */
};

void FEW_ISA(few__tile_chunks)(const struct few_tile *t);
void FEW_ISA(few__tile_columns)(const struct few_tile *t);

/* c (+)= a b with a [m x k] and b [k x n]; ta and tb mean that a and b are stored transposed. Rows
 * are lda, ldb, ldc apart. */
struct few_gemm {
  int64_t m, n, k;
  bool ta, tb, add;
  const float *a, *b;
  int64_t lda, ldb, ldc;
  float *c;
  float *scratch; /* few__gemm_scratch() floats, 64-byte aligned */
};
int64_t FEW_ISA(few__gemm_scratch)(const struct few_gemm *p);
void FEW_ISA(few__gemm)(const struct few_gemm *p);

/* Rows of the next tile when `left` remain. The tiles get nearly equal heights. */
VF_INLINE int tile_rows(int64_t left) {
  const int64_t tiles = (left + GEMM_M - 1) / GEMM_M;
  return (int)((left + tiles - 1) / tiles);
}

#endif
