/* pack.h - numbers in f32 or bf16, copied into the forms that tile.h reads. */
#ifndef FEW_SRC_CPU_BF16_PACK_H
#define FEW_SRC_CPU_BF16_PACK_H

#include "../stored.h"
#include "tile.h"

/* A panel of B, k rounded up to BF16_K with zeros, from x with n <= BF16_N columns; x(k,j) is at
 * k ld + j, or if `columns`, at j ld + k. Returns the end of the panel. */
uint16_t *FEW_ISA(few__bf16_panel)(uint16_t *to, struct from x, int64_t ld, bool columns, int64_t k,
                                   int64_t n);

/* m rows of A, `as` >= k rounded up to BF16_K apart, zero beyond k; a(i,k) is at i ld + k of x, or
 * if `columns`, at k ld + i. */
void FEW_ISA(few__bf16_rows)(uint16_t *to, int64_t as, struct from x, int64_t ld, bool columns,
                             int64_t m, int64_t k);

/* n <= BF16_N sums of a row of C to element i of `out`. */
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
