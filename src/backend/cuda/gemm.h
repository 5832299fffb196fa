/* gemm.h - matrix products, by cuBLASLt. */
#ifndef FEW_SRC_CUDA_GEMM_H
#define FEW_SRC_CUDA_GEMM_H

#include "cuda.h"

/* c[l] = a[l] b[l] for l in 0..batch: [m,k] [k,n], row-major, either stored transposed; a step of 0
 * between the matrices of a batch repeats one. T is float or double. */
struct few_gemm {
  int64_t m, n, k, batch;
  bool ta, tb;
  int64_t a_step, b_step, c_step;
  few_precision precision; /* of float */
};
void few__cuda_gemm(struct few_queue *q, const struct few_gemm *s, const float *a, const float *b,
                    float *c);
void few__cuda_gemm(struct few_queue *q, const struct few_gemm *s, const double *a, const double *b,
                    double *c);

#endif
