/* resample.cu - halve and double the resolution of [N,H,W,C]: ref/k_resample.c has the formulas. A
 * thread gathers one number of the result, so that nothing is added from two sides.
 */
#include "cuda.h"

enum { TAPS = 6 };
template <class real>
struct filter {
  int n;
  real tap[TAPS];
};

template <class real>
static __global__ void down_kernel(int64_t n, int64_t H, int64_t W, int64_t C,
                                   struct filter<real> f, struct from<real> x, struct to<real> y) {
  FOR_EACH_ELEMENT(e, n) {
    const int64_t c = e % C, j = e / C % W, i = e / (C * W) % H, image = e / (C * W * H);
    real sum = 0;
    for (int a = 0; a < f.n; a++)
      for (int b = 0; b < f.n; b++) {
        const int64_t p = 2 * i + a - (f.n / 2 - 1), q = 2 * j + b - (f.n / 2 - 1);
        if (p < 0 || p >= 2 * H || q < 0 || q >= 2 * W) continue;
        sum += f.tap[a] * f.tap[b] * x[((image * 2 * H + p) * 2 * W + q) * C + c];
      }
    y.put(e, sum);
  }
}

/* H and W are of the small side here as well: tap a joins row i of it and row 2i + a - first. */
template <class real>
static __global__ void up_kernel(int64_t n, int64_t H, int64_t W, int64_t C, struct filter<real> f,
                                 struct from<real> x, struct to<real> y) {
  FOR_EACH_ELEMENT(e, n) {
    const int64_t c = e % C, q = e / C % (2 * W), p = e / (C * 2 * W) % (2 * H),
                  image = e / (C * 4 * W * H);
    const int first = f.n / 2 - 1;
    real sum = 0;
    for (int a = (int)(p + first) % 2; a < f.n; a += 2)
      for (int b = (int)(q + first) % 2; b < f.n; b += 2) {
        const int64_t i = (p + first - a) / 2, j = (q + first - b) / 2;
        if (p + first < a || i >= H || q + first < b || j >= W) continue;
        sum += f.tap[a] * f.tap[b] * x[((image * H + i) * W + j) * C + c];
      }
    y.put(e, 4 * sum);
  }
}

template <class real>
static struct filter<real> filter_of(const struct few_call *c) {
  struct filter<real> f = {};
  f.n = (int)c->node->attr.i[0];
  for (int k = 0; k < f.n; k++) f.tap[k] = (real)c->node->attr.f[k];
  return f;
}

template <class real>
static void down(const struct few_call *c) {
  const struct few_shape s = c->shape;
  const int64_t n = count_of(s);
  FEW_LAUNCH(c->queue, down_kernel<real>, blocks_for(n), THREADS, 0, n, s.dim[1], s.dim[2],
             s.dim[3], filter_of<real>(c), operand<real>(c, 0), result<real>(c));
}
FEW_CUDA_KERNEL(down)

template <class real>
static void up(const struct few_call *c) {
  const struct few_shape s = c->in[0].shape;
  const int64_t n = count_of(c->shape);
  FEW_LAUNCH(c->queue, up_kernel<real>, blocks_for(n), THREADS, 0, n, s.dim[1], s.dim[2], s.dim[3],
             filter_of<real>(c), operand<real>(c, 0), result<real>(c));
}
FEW_CUDA_KERNEL(up)
