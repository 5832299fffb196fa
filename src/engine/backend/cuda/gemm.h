/* gemm.h - matrix products, by cuBLASLt. */
#ifndef FEW_SRC_CUDA_GEMM_H
#define FEW_SRC_CUDA_GEMM_H

#include "cuda.h"

/* c[l] = a[l] b[l] for l in 0..batch: [m,k] [k,n], row-major, either stored transposed. A step of 0
 * between the matrices of a batch repeats one matrix. */
enum few_gemm_type { FEW_GEMM_F32, FEW_GEMM_F64, FEW_GEMM_BF16 };
struct few_gemm {
  int64_t m, n, k, batch;
  bool ta, tb;
  int64_t a_step, b_step, c_step;
  enum few_gemm_type factors, product; /* bf16 factors may have a product of f32 */
  bool tf32;                           /* of f32: factors rounded as matrix units take them */
};
void few__cuda_gemm(struct few_queue *q, const struct few_gemm *s, const void *a, const void *b,
                    void *c);

#endif
