/* gemm.h - matrix products, by cuBLASLt. */
#ifndef FEW_SRC_CUDA_GEMM_H
#define FEW_SRC_CUDA_GEMM_H

#include "cuda.h"

/* c[l] = a[l] b[l] for l = 0 .. batch - 1, with a[l] [m,k] and b[l] [k,n]. Matrices are row-major;
 * a and b may be stored transposed. If the step between the matrices of a batch is 0, all are the
 * same matrix. */
enum few_gemm_type { FEW_GEMM_F32, FEW_GEMM_F64, FEW_GEMM_BF16 };
struct few_gemm {
  int64_t m, n, k, batch;
  bool ta, tb;
  int64_t a_step, b_step, c_step;
  enum few_gemm_type factors, product; /* bf16 factors may have an f32 product */
  bool tf32;                           /* for f32: matrix units may round the factors to TF32 */
};
void few__cuda_gemm(struct few_queue *q, const struct few_gemm *s, const void *a, const void *b,
                    void *c);

#endif
