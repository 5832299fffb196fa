/* product.h - products of matrices with factors in bf16 and sums in f32. */
#ifndef FEW_SRC_CPU_BF16_PRODUCT_H
#define FEW_SRC_CPU_BF16_PRODUCT_H

#include "pack.h"

/* out (+)= a b with a [m x k], b [k x n]; ta, tb: stored transposed. Rows are lda, ldb, ldo apart. */
struct few_bf16_product {
  int64_t m, n, k;
  bool ta, tb;
  struct few_numbers a, b;
  int64_t lda, ldb, ldo;
  void *out;
  bool out_bf16;
  void *scratch; /* few__bf16_product_scratch() bytes, 64-byte aligned */
};
size_t FEW_ISA(few__bf16_product_scratch)(const struct few_bf16_product *p);
void FEW_ISA(few__bf16_product)(const struct few_bf16_product *p);

#endif
