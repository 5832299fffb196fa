/* matmul.cu - out[l] = a[l] b[l]. If b has rank 2, it is used for every leading index of a, and a
 * is treated as one tall matrix.
 */
#include "bf16.h"
#include "gemm.h"

template <class real>
static void matmul(const struct few_call *c) {
  const struct few_shape as = c->in[0].shape, bs = c->in[1].shape;
  const int r = as.rank;
  struct few_gemm s = {};
  s.tf32 = c->precision == FEW_TF32;
  s.ta = c->node->attr.matmul.ta != 0;
  s.tb = c->node->attr.matmul.tb != 0;
  s.m = c->shape.dim[r - 2];
  s.n = c->shape.dim[r - 1];
  s.k = as.dim[s.ta ? r - 2 : r - 1];
  s.batch = outer_of(c->shape, r - 2);
  if (bs.rank < r && !s.ta) {
    s.m *= s.batch;
    s.batch = 1;
  }
  s.a_step = s.m * s.k;
  s.b_step = bs.rank == r ? s.k * s.n : 0;
  s.c_step = s.m * s.n;
  s.factors = sizeof(real) == 8 ? FEW_GEMM_F64 : FEW_GEMM_F32;
  s.product = c->bf16[0] ? FEW_GEMM_BF16 : s.factors;
  if (!few__cuda_any_bf16(c))
    return few__cuda_gemm(c->queue, &s, c->in[0].data, c->in[1].data, c->out);
  s.factors = FEW_GEMM_BF16;
  uint16_t *room = (uint16_t *)c->scratch;
  const void *a = few__cuda_as_bf16(c, 0, &room), *b = few__cuda_as_bf16(c, 1, &room);
  few__cuda_gemm(c->queue, &s, a, b, c->out);
}
FEW_CUDA_KERNEL(matmul)

/* Has room for all factors in bf16, since it is not known yet which ones are converted. */
template <class real>
static size_t matmul_scratch(const struct few_call *c) {
  if (c->precision != FEW_BF16) return 0;
  return few__cuda_bf16_bytes(c->in[0].shape) + few__cuda_bf16_bytes(c->in[1].shape);
}
FEW_CUDA_SCRATCH(matmul)
