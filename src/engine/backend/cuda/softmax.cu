/* softmax.cu - y = exp(x - max x) / sum exp(x - max x) over the last axis: one warp per row. */
#include "cuda.h"

template <class real>
static __global__ void softmax_kernel(int64_t rows, int64_t n, struct from<real> x,
                                      struct to<real> y) {
  const int64_t row = (int64_t)blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
  const int lane = (int)threadIdx.x % 32;
  if (row >= rows) return;
  x = x + row * n;
  y = y + row * n;
  real most = -(real)INFINITY, sum = 0;
  for (int64_t k = lane; k < n; k += 32) most = x[k] > most ? x[k] : most;
  most = warp_max(most);
  for (int64_t k = lane; k < n; k += 32) sum += exp(x[k] - most);
  sum = warp_sum(sum);
  for (int64_t k = lane; k < n; k += 32) y.put(k, exp(x[k] - most) / sum);
}

template <class real>
static void softmax(const struct few_call *c) {
  const int64_t n = c->shape.dim[c->shape.rank - 1], rows = outer_of(c->shape, c->shape.rank - 1);
  FEW_LAUNCH(c->queue, softmax_kernel<real>, (rows + 3) / 4, 128, 0, rows, n, operand<real>(c, 0),
             result<real>(c));
}
FEW_CUDA_KERNEL(softmax)
