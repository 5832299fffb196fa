/* product.h - products of matrices with factors in bf16 and sums in f32. */
#ifndef FEW_SRC_CPU_BF16_PRODUCT_H
#define FEW_SRC_CPU_BF16_PRODUCT_H

#include "pack.h"

/* Packing weights takes about as long as a product with a hundred rows (some hundreds with tile
 * registers), and packed weights take memory. They are kept only for products of at most this many
 * rows. */
enum { BF16_KEEP_ROWS = BF16_UNITS == BF16_PAIRS ? 512 : 4096 };

/* out (+)= a b, a [m x k], b [k x n]; ta, tb: stored transposed. Rows are lda, ldb, ldo apart. */
struct few_bf16_product {
  int64_t m, n, k;
  bool ta, tb;
  struct from a, b;
  const uint16_t *panels; /* few__bf16_panels() of b, or NULL */
  int64_t lda, ldb, ldo;
  void *out;
  bool out_bf16;
  void *scratch; /* few__bf16_product_scratch() bytes, 64-byte aligned */
};
/* The size in bytes of b [k x n] as panels; and the panels. */
size_t FEW_ISA(few__bf16_panels_bytes)(const struct few_bf16_product *p);
void FEW_ISA(few__bf16_panels)(const struct few_bf16_product *p, uint16_t *to);
size_t FEW_ISA(few__bf16_product_scratch)(const struct few_bf16_product *p);
void FEW_ISA(few__bf16_product)(const struct few_bf16_product *p);

#endif
