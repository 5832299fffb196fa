/* resample.cu - halve and double the resolution of [N,H,W,C]; ref/k_resample.c has the formulas.
 * Each thread computes adjacent channels of the result, so every sum belongs to one thread.
 */
#include "pack.h"

enum { TAPS = 6 };
template <class real>
struct filter {
  int n;
  real tap[TAPS];
};

/* to += by x[at ..], for N numbers. */
template <class real, int N>
static __device__ inline void add_scaled(real *to, real by, struct from<real> x, int64_t at) {
  real v[1][N];
  read_packs<real, N, 1>(x, at, 0, 1, v);
  FEW_UNROLL
  for (int k = 0; k < N; k++) to[k] += by * v[0][k];
}

template <class real, int N>
static __global__ void down_kernel(int64_t n, int64_t H, int64_t W, int64_t C,
                                   struct filter<real> f, struct from<real> x, struct to<real> y) {
  FOR_EACH_ELEMENT(pack, n / N) {
    const int64_t e = pack * N, row = e / C, c = e % C;
    const int64_t j = row % W, i = row / W % H, image = row / (W * H);
    real sum[N] = {};
    for (int a = 0; a < f.n; a++)
      for (int b = 0; b < f.n; b++) {
        const int64_t p = 2 * i + a - (f.n / 2 - 1), q = 2 * j + b - (f.n / 2 - 1);
        if (p < 0 || p >= 2 * H || q < 0 || q >= 2 * W) continue;
        add_scaled<real, N>(sum, f.tap[a] * f.tap[b], x, ((image * 2 * H + p) * 2 * W + q) * C + c);
      }
    write_pack<real, N>(y, e, sum);
  }
}

/* H and W are those of the smaller image, as above. Tap a joins its row i with row 2i + a - first
 * of the larger one. */
template <class real, int N>
static __global__ void up_kernel(int64_t n, int64_t H, int64_t W, int64_t C, struct filter<real> f,
                                 struct from<real> x, struct to<real> y) {
  FOR_EACH_ELEMENT(pack, n / N) {
    const int64_t e = pack * N, row = e / C, c = e % C;
    const int64_t q = row % (2 * W), p = row / (2 * W) % (2 * H), image = row / (4 * W * H);
    const int first = f.n / 2 - 1;
    real sum[N] = {};
    for (int a = (int)(p + first) % 2; a < f.n; a += 2)
      for (int b = (int)(q + first) % 2; b < f.n; b += 2) {
        const int64_t i = (p + first - a) / 2, j = (q + first - b) / 2;
        if (p + first < a || i >= H || q + first < b || j >= W) continue;
        add_scaled<real, N>(sum, 4 * f.tap[a] * f.tap[b], x, ((image * H + i) * W + j) * C + c);
      }
    write_pack<real, N>(y, e, sum);
  }
}

template <class real>
static struct filter<real> filter_of(const struct few_call *c) {
  struct filter<real> f = {};
  f.n = (int)c->node->attr.resample.n;
  for (int k = 0; k < f.n; k++) f.tap[k] = (real)c->node->attr.resample.tap[k];
  return f;
}

template <class real>
static bool by_fours(const struct few_call *c) {
  const int64_t C = c->shape.dim[3];
  return few__by_fours(c->in[0].data, c->in[0].bf16, sizeof(real), C) &&
         few__by_fours(c->out, c->bf16[0], sizeof(real), C);
}

template <class real, int N>
static void down_by(const struct few_call *c) {
  const struct few_shape s = c->shape;
  const int64_t n = count_of(s);
  FEW_LAUNCH(c->queue, (down_kernel<real, N>), blocks_for(n / N), THREADS, 0, n, s.dim[1], s.dim[2],
             s.dim[3], filter_of<real>(c), operand<real>(c, 0), result<real>(c));
}
template <class real>
static void down(const struct few_call *c) {
  return by_fours<real>(c) ? down_by<real, 4>(c) : down_by<real, 1>(c);
}
FEW_CUDA_KERNEL(down)

template <class real, int N>
static void up_by(const struct few_call *c) {
  const struct few_shape s = c->in[0].shape;
  const int64_t n = count_of(c->shape);
  FEW_LAUNCH(c->queue, (up_kernel<real, N>), blocks_for(n / N), THREADS, 0, n, s.dim[1], s.dim[2],
             s.dim[3], filter_of<real>(c), operand<real>(c, 0), result<real>(c));
}
template <class real>
static void up(const struct few_call *c) {
  return by_fours<real>(c) ? up_by<real, 4>(c) : up_by<real, 1>(c);
}
FEW_CUDA_KERNEL(up)
