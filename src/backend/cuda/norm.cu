/* norm.cu - normalise groups of channels, and the derivative of that: ref/k_norm.c has the
 * formulas.
 *
 * A block takes one group of one image: its mean, then the mean of squared deviations from it, then
 * the values; three passes, of which the second and third find most groups in the cache. Groups of
 * few numbers (layer norm: one position) get a warp each.
 */
#include "cuda.h"

/* Group k of row n: P runs of `run` numbers, C apart. */
struct groups {
  int64_t P, run, C;
  int per_row;
  int64_t count; /* of all groups */
  double eps;
  bool center;
};

template <class real>
struct stats {
  real mean, r;
};

static __device__ inline int64_t at(const struct groups *g, int64_t first, int64_t i) {
  return first + i / g->run * g->C + i % g->run;
}

/* Sum over the threads of a group: a warp, or the block. */
template <class real, bool WARP>
static __device__ inline real sum(real x) {
  return WARP ? warp_sum(x) : block_sum(x);
}

template <class real, bool WARP>
static __device__ inline struct stats<real> measure(const struct groups *g, struct from<real> x,
                                                    int64_t first) {
  const int64_t n = g->P * g->run, step = WARP ? 32 : blockDim.x;
  const int64_t begin = WARP ? threadIdx.x % 32 : threadIdx.x;
  real mean = 0, var = 0;
  if (g->center) {
    for (int64_t i = begin; i < n; i += step) mean += x[at(g, first, i)];
    mean = sum<real, WARP>(mean) / (real)n;
  }
  for (int64_t i = begin; i < n; i += step) {
    const real d = x[at(g, first, i)] - mean;
    var += d * d;
  }
  var = sum<real, WARP>(var) / (real)n;
  return {mean, (real)1 / sqrt(var + (real)g->eps)};
}

/* Which group, and where it begins; false: none is left. */
template <bool WARP>
static __device__ inline bool choose(const struct groups *g, int64_t *first) {
  const int64_t k = WARP ? (int64_t)blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32 : blockIdx.x;
  *first = k / g->per_row * g->P * g->C + k % g->per_row * g->run;
  return k < g->count;
}

template <class real, bool WARP>
static __global__ void norm_kernel(struct groups g, struct from<real> x, struct to<real> y) {
  const int64_t n = g.P * g.run, step = WARP ? 32 : blockDim.x;
  int64_t first;
  if (!choose<WARP>(&g, &first)) return;
  const struct stats<real> s = measure<real, WARP>(&g, x, first);
  for (int64_t i = WARP ? threadIdx.x % 32 : threadIdx.x; i < n; i += step)
    y.put(at(&g, first, i), (x[at(&g, first, i)] - s.mean) * s.r);
}

template <class real, bool WARP>
static __global__ void tangent_kernel(struct groups g, struct from<real> x, struct from<real> d,
                                      struct to<real> out) {
  const int64_t n = g.P * g.run, step = WARP ? 32 : blockDim.x;
  const int64_t begin = WARP ? threadIdx.x % 32 : threadIdx.x;
  int64_t first;
  if (!choose<WARP>(&g, &first)) return;
  const struct stats<real> s = measure<real, WARP>(&g, x, first);
  real mean_d = 0, mean_yd = 0;
  for (int64_t i = begin; i < n; i += step) {
    const int64_t k = at(&g, first, i);
    if (g.center) mean_d += d[k];
    mean_yd += (x[k] - s.mean) * s.r * d[k];
  }
  if (g.center) mean_d = sum<real, WARP>(mean_d) / (real)n;
  mean_yd = sum<real, WARP>(mean_yd) / (real)n;
  for (int64_t i = begin; i < n; i += step) {
    const int64_t k = at(&g, first, i);
    out.put(k, s.r * (d[k] - mean_d - (x[k] - s.mean) * s.r * mean_yd));
  }
}

enum { WARP_GROUP = 1024 }; /* numbers that a warp takes on alone */

static struct groups groups_of(const struct few_call *c) {
  const struct few_shape s = c->shape;
  struct groups g = {};
  const int64_t N = s.dim[0];
  g.C = s.dim[s.rank - 1];
  g.per_row = (int)c->node->attr.i[0];
  g.run = g.C / g.per_row;
  g.P = N > 0 ? outer_of(s, s.rank - 1) / N : 0;
  g.count = N * g.per_row;
  g.eps = c->node->attr.f[0];
  g.center = c->node->attr.i[1] != 0;
  return g;
}

template <class real>
static void norm(const struct few_call *c) {
  const struct groups g = groups_of(c);
  const struct from<real> x = operand<real>(c, 0);
  const struct to<real> y = result<real>(c);
  if (g.P * g.run <= WARP_GROUP)
    FEW_LAUNCH(c->queue, (norm_kernel<real, true>), (g.count + 3) / 4, 128, 0, g, x, y);
  else
    FEW_LAUNCH(c->queue, (norm_kernel<real, false>), g.count, 512, 0, g, x, y);
}
FEW_CUDA_KERNEL(norm)

template <class real>
static void norm_tangent(const struct few_call *c) {
  const struct groups g = groups_of(c);
  const struct from<real> x = operand<real>(c, 0), d = operand<real>(c, 1);
  const struct to<real> out = result<real>(c);
  if (g.P * g.run <= WARP_GROUP)
    FEW_LAUNCH(c->queue, (tangent_kernel<real, true>), (g.count + 3) / 4, 128, 0, g, x, d, out);
  else
    FEW_LAUNCH(c->queue, (tangent_kernel<real, false>), g.count, 512, 0, g, x, d, out);
}
FEW_CUDA_KERNEL(norm_tangent)
