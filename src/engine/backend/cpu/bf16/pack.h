/* pack.h - copy matrices in f32 or bf16 into the layouts that tile.h reads. */
#ifndef FEW_SRC_CPU_BF16_PACK_H
#define FEW_SRC_CPU_BF16_PACK_H

#include "../stored.h"
#include "tile.h"

/* Writes a panel of B from x [k x n], n <= BF16_N, padded with zeros to a multiple of BF16_K rows.
 * Element (i,j) of x is at i ld + j, or with `columns` at j ld + i. Returns the end of the
 * panel. */
uint16_t *FEW_ISA(few__bf16_panel)(uint16_t *to, struct from x, int64_t ld, bool columns, int64_t k,
                                   int64_t n);

/* Writes A from x [m x k]. Its rows are `as` elements apart and padded with zeros to a multiple of
 * BF16_K. Element (i,j) of x is at i ld + j, or with `columns` at j ld + i. */
void FEW_ISA(few__bf16_rows)(uint16_t *to, int64_t as, struct from x, int64_t ld, bool columns,
                             int64_t m, int64_t k);

/* Writes n <= BF16_N sums of a row of C from element i of `out` on. `add`, for f32 only: adds
 * them. */
VF_INLINE void bf16_put(void *out, bool bf16, int64_t i, const float *c, int64_t n, bool add) {
  for (int64_t j = 0; j < n; j += VF_W) {
    const int64_t some = min_of(n - j, VF_W);
    float *f = (float *)out + i + j;
    uint16_t *h = (uint16_t *)out + i + j;
    const vf x = vf_load(c + j);
    if (bf16 && some == VF_W)
      vf_store_bf16(h, x);
    else if (bf16)
      vf_store_bf16_n(h, x, some);
    else if (some == VF_W)
      vf_store(f, add ? vf_load(f) + x : x);
    else
      vf_store_n(f, add ? vf_load_n(f, some) + x : x, some);
  }
}

#endif
