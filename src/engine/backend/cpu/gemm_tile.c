/* gemm_tile.c - the register tile of gemm.h.
 *
 * A row of B is two vectors. Each of the m elements of A's column is broadcast to a vector and
 * multiplied with both. AVX-512's 14 x 32 tile does 28 multiply-adds for 16 loads, so the two
 * multipliers are the limit. The loops over rows need constant bounds, so each m has its own copy
 * of the kernel.
 */
#include "gemm.h"

/* k steps along A: row i is at a[i * row], and each step moves `a` by `step`. Returns the new a. */
VF_INLINE const float *stretch(int m, int nv, vf acc[GEMM_M][2], const float *a, int64_t row,
                               int64_t step, int64_t k, const float **b, int64_t bs) {
  const float *bp = *b;
  for (; k > 0; k--, a += step, bp += bs) {
    const vf b0 = vf_load(bp), b1 = nv > 1 ? vf_load(bp + VF_W) : b0;
    VF_UNROLL(GEMM_M)
    for (int i = 0; i < m; i++) {
      const vf x = vf_set(a[i * row]);
      acc[i][0] = vf_fma(x, b0, acc[i][0]);
      if (nv > 1) acc[i][1] = vf_fma(x, b1, acc[i][1]);
    }
  }
  *b = bp;
  return a;
}

VF_INLINE void put(float *c, vf x, int64_t n, bool add) {
  if (n >= VF_W)
    vf_store(c, add ? vf_load(c) + x : x);
  else if (n > 0)
    vf_store_n(c, add ? vf_load_n(c, n) + x : x, n);
}

/* After k steps the sums are added to the tile of C or overwrite it. Both need its cache lines, so
 * they are prefetched. */
enum { PREFETCH_LEAST_K = 64 };
VF_INLINE void prefetch(int m, int nv, const struct few_tile *t) {
  VF_UNROLL(GEMM_M)
  for (int i = 0; i < m; i++) {
    __builtin_prefetch(t->c + i * t->cs, 1);
    if (nv > 1) __builtin_prefetch(t->c + i * t->cs + VF_W, 1);
  }
}

VF_INLINE void tile(int m, int nv, bool chunks, const struct few_tile *t) {
  vf acc[GEMM_M][2];
  VF_UNROLL(GEMM_M)
  for (int i = 0; i < m; i++) acc[i][0] = acc[i][1] = (vf){0};
  const float *a = t->a, *b = t->b;
  if (t->add || t->k >= PREFETCH_LEAST_K) prefetch(m, nv, t);
  if (chunks) {
    int64_t k = t->k;
    for (; k >= VF_W; k -= VF_W)
      a = stretch(m, nv, acc, a, VF_W, 1, VF_W, &b, t->bs) + (GEMM_M - 1) * VF_W;
    stretch(m, nv, acc, a, VF_W, 1, k, &b, t->bs);
  } else {
    stretch(m, nv, acc, a, 1, t->as, t->k, &b, t->bs);
  }
  float *c = t->c;
  VF_UNROLL(GEMM_M)
  for (int i = 0; i < m; i++) {
    put(c + i * t->cs, acc[i][0], t->n, t->add);
    if (nv > 1) put(c + i * t->cs + VF_W, acc[i][1], t->n - VF_W, t->add);
  }
}

#define ROWS(m)              \
  case m:                    \
    if (t->n > VF_W)         \
      tile(m, 2, chunks, t); \
    else                     \
      tile(m, 1, chunks, t); \
    return;

VF_INLINE void any_rows(bool chunks, const struct few_tile *t) {
  assert(0 < t->m && t->m <= GEMM_M && 0 < t->n && t->n <= GEMM_N);
  switch (t->m) {
    ROWS(1)
    ROWS(2)
    ROWS(3)
    ROWS(4)
#if VF_HAS_FMA
    ROWS(5)
    ROWS(6)
#endif
#if VF_W == 16
    ROWS(7)
    ROWS(8)
    ROWS(9)
    ROWS(10)
    ROWS(11)
    ROWS(12)
    ROWS(13)
    ROWS(14)
#endif
  }
}

void FEW_ISA(few__tile_chunks)(const struct few_tile *t) { any_rows(true, t); }
void FEW_ISA(few__tile_columns)(const struct few_tile *t) { any_rows(false, t); }
