/* matmul.cu - out[l] = a[l] b[l]; b of rank 2 serves every leading index of a, which then is one
 * tall matrix.
 */
#include "gemm.h"

template <class real>
static void matmul(const struct few_call *c) {
  const struct few_shape as = c->in[0].shape, bs = c->in[1].shape;
  const int r = as.rank;
  struct few_gemm s = {};
  s.precision = c->precision;
  s.ta = c->node->attr.i[0] != 0;
  s.tb = c->node->attr.i[1] != 0;
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
  few__cuda_gemm(c->queue, &s, (const real *)c->in[0].data, (const real *)c->in[1].data,
                 (real *)c->out);
}
FEW_CUDA_KERNEL(matmul)
