/* norm.cu - normalises groups of channels, and computes the derivative of the normalisation
 * (formulas: ref/k_norm.c).
 *
 * There are three passes: for the mean, for the mean of squared deviations, and for the values. The
 * second and third find most numbers in the cache. A block has neighbouring groups of one image,
 * whose channels fill a line of memory; each of its threads has a few neighbouring channels and
 * visits all positions. A group of one position (layer norm) has one warp.
 */
#include "pack.h"

/* Groups of channels. A block has `span` groups, and `lanes` threads for each position. */
struct groups {
  int64_t P, C;  /* positions per image, channels */
  int64_t count; /* groups of all images */
  int run;       /* channels per group */
  int per_row;   /* groups per image */
  int span, lanes;
  double eps;
  bool center;
};

enum { NORM_THREADS = 512, NORM_SPAN = NORM_THREADS / 32, AT_ONCE = 4 };

/* The numbers of a thread: `turns` runs that are `turn` numbers apart, each of `m` packs that are
 * `step` numbers apart. */
struct path {
  int64_t first, step, turn;
  int m, turns;
  int group; /* which of the block's groups they belong to */
};

template <int N, bool WARP>
static __device__ inline struct path path_of(const struct groups *g) {
  const int lane = (int)threadIdx.x % g->lanes, row = (int)threadIdx.x / g->lanes;
  const int rows = (int)blockDim.x / g->lanes;
  struct path w = {};
  if (WARP) {
    w.first = ((int64_t)blockIdx.x * rows + row) * g->C + lane * N;
    w.step = 32 * N;
    w.m = (g->run / N - lane + 31) / 32;
    w.turns = 1;
    return w;
  }
  const int width = g->span * g->run, blocks = g->per_row / g->span;
  w.first = (int64_t)(blockIdx.x / blocks) * g->P * g->C + blockIdx.x % blocks * width +
            row * g->C + lane * N;
  w.step = rows * g->C;
  w.turn = g->lanes * N;
  w.m = row < rows ? (int)((g->P - row + rows - 1) / rows) : 0;
  w.turns = (width / N - lane + g->lanes - 1) / g->lanes;
  w.group = lane * N / g->run;
  if (g->span == 1) w.group = 0; /* with more than one turn, the line above is not right */
  return w;
}

/* Calls f(numbers, index) for each pack of the thread. */
template <class real, int N, class F>
static __device__ inline void each(struct path w, struct from<real> x, F f) {
  for (int t = 0; t < w.turns; t++)
    for (int j = 0; j < w.m; j += AT_ONCE) {
      const int there = w.m - j < AT_ONCE ? w.m - j : AT_ONCE;
      const int64_t at = w.first + t * w.turn + j * w.step;
      real v[AT_ONCE][N];
      read_packs<real, N, AT_ONCE>(x, at, w.step, there, v);
      FEW_UNROLL
      for (int u = 0; u < AT_ONCE; u++)
        if (u < there) f(v[u], at + u * w.step);
    }
}
template <class real, int N, class F>
static __device__ inline void each2(struct path w, struct from<real> x, struct from<real> d, F f) {
  for (int t = 0; t < w.turns; t++)
    for (int j = 0; j < w.m; j += AT_ONCE) {
      const int there = w.m - j < AT_ONCE ? w.m - j : AT_ONCE;
      const int64_t at = w.first + t * w.turn + j * w.step;
      real v[AT_ONCE][N], b[AT_ONCE][N];
      read_packs<real, N, AT_ONCE>(x, at, w.step, there, v);
      read_packs<real, N, AT_ONCE>(d, at, w.step, there, b);
      FEW_UNROLL
      for (int u = 0; u < AT_ONCE; u++)
        if (u < there) f(v[u], b[u], at + u * w.step);
    }
}

/* The sum over the threads of a group, returned to all of them. One warp per group adds the parts.
 */
template <class real, bool WARP>
static __device__ inline real sum(const struct groups *g, int group, real x) {
  if (WARP) return warp_sum(x);
  __shared__ real part[NORM_THREADS], total[NORM_SPAN];
  const int rows = (int)blockDim.x / g->lanes, own = g->lanes / g->span; /* own: lanes per group */
  const int warp = (int)threadIdx.x / 32;
  part[threadIdx.x] = x;
  __syncthreads();
  if (warp < g->span) {
    real all = 0;
    for (int i = (int)threadIdx.x % 32; i < rows * own; i += 32)
      all += part[i / own * g->lanes + warp * own + i % own];
    all = warp_sum(all);
    if (threadIdx.x % 32 == 0) total[warp] = all;
  }
  __syncthreads();
  return total[group];
}

template <class real>
struct stats {
  real mean, r;
};

template <class real, int N, bool WARP>
static __device__ inline struct stats<real> measure(const struct groups *g, struct path w,
                                                    struct from<real> x) {
  const real n = (real)(g->P * g->run);
  real mean = 0, var = 0;
  if (g->center) {
    each<real, N>(w, x, [&](const real *v, int64_t) {
      FEW_UNROLL
      for (int k = 0; k < N; k++) mean += v[k];
    });
    mean = sum<real, WARP>(g, w.group, mean) / n;
  }
  each<real, N>(w, x, [&](const real *v, int64_t) {
    FEW_UNROLL
    for (int k = 0; k < N; k++) var += (v[k] - mean) * (v[k] - mean);
  });
  var = sum<real, WARP>(g, w.group, var) / n;
  return {mean, (real)1 / sqrt(var + (real)g->eps)};
}

/* Whether this warp has no group. */
template <bool WARP>
static __device__ inline bool idle(const struct groups *g) {
  return WARP && (int64_t)blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32 >= g->count;
}

template <class real, int N, bool WARP>
static __global__ void norm_kernel(struct groups g, struct from<real> x, struct to<real> y) {
  if (idle<WARP>(&g)) return;
  const struct path w = path_of<N, WARP>(&g);
  const struct stats<real> s = measure<real, N, WARP>(&g, w, x);
  each<real, N>(w, x, [&](const real *v, int64_t i) {
    real out[N];
    FEW_UNROLL
    for (int k = 0; k < N; k++) out[k] = (v[k] - s.mean) * s.r;
    write_pack<real, N>(y, i, out);
  });
}

template <class real, int N, bool WARP>
static __global__ void tangent_kernel(struct groups g, struct from<real> x, struct from<real> d,
                                      struct to<real> out) {
  if (idle<WARP>(&g)) return;
  const struct path w = path_of<N, WARP>(&g);
  const struct stats<real> s = measure<real, N, WARP>(&g, w, x);
  const real n = (real)(g.P * g.run);
  real mean_d = 0, mean_yd = 0;
  each2<real, N>(w, x, d, [&](const real *v, const real *b, int64_t) {
    FEW_UNROLL
    for (int k = 0; k < N; k++) {
      mean_d += b[k];
      mean_yd += (v[k] - s.mean) * s.r * b[k];
    }
  });
  mean_d = g.center ? sum<real, WARP>(&g, w.group, mean_d) / n : 0;
  mean_yd = sum<real, WARP>(&g, w.group, mean_yd) / n;
  each2<real, N>(w, x, d, [&](const real *v, const real *b, int64_t i) {
    real t[N];
    FEW_UNROLL
    for (int k = 0; k < N; k++) t[k] = s.r * (b[k] - mean_d - (v[k] - s.mean) * s.r * mean_yd);
    write_pack<real, N>(out, i, t);
  });
}

/* ---- launches ---- */

enum { LINE = 64 /* numbers */, FEWEST_BLOCKS = 264 };

static struct groups groups_of(const struct few_call *c) {
  const struct few_shape s = c->shape;
  struct groups g = {};
  const int64_t N = s.dim[0];
  g.C = s.dim[s.rank - 1];
  g.per_row = c->node->attr.norm.groups;
  g.run = (int)(g.C / g.per_row);
  g.P = N > 0 ? outer_of(s, s.rank - 1) / N : 0;
  g.count = N * g.per_row;
  g.eps = c->node->attr.norm.eps;
  g.center = c->node->attr.norm.center != 0;
  g.span = 1;
  for (int k = 2; k <= NORM_SPAN && k * g.run <= LINE; k++)
    if (g.per_row % k == 0 && g.count / k >= FEWEST_BLOCKS) g.span = k;
  return g;
}

/* Sets the number of threads per position, for packs of n. With a single position, each group has a
 * warp and is treated as a row of its own. */
static void share(struct groups *g, int n) {
  const int most = NORM_THREADS / 4, packs = g->span * g->run / n;
  g->lanes = g->P == 1 ? 32 : packs < most ? packs : most;
  if (g->P == 1) g->C = g->run;
}

template <class real, int N>
static void norm_by(const struct few_call *c, struct groups g) {
  const struct from<real> x = operand<real>(c, 0);
  const struct to<real> y = result<real>(c);
  share(&g, N);
  if (g.P == 1)
    FEW_LAUNCH(c->queue, (norm_kernel<real, N, true>), (g.count + 3) / 4, 128, 0, g, x, y);
  else
    FEW_LAUNCH(c->queue, (norm_kernel<real, N, false>), g.count / g.span, NORM_THREADS, 0, g, x, y);
}

template <class real, int N>
static void tangent_by(const struct few_call *c, struct groups g) {
  const struct from<real> x = operand<real>(c, 0), d = operand<real>(c, 1);
  const struct to<real> out = result<real>(c);
  share(&g, N);
  if (g.P == 1)
    FEW_LAUNCH(c->queue, (tangent_kernel<real, N, true>), (g.count + 3) / 4, 128, 0, g, x, d, out);
  else
    FEW_LAUNCH(c->queue, (tangent_kernel<real, N, false>), g.count / g.span, NORM_THREADS, 0, g, x,
               d, out);
}

template <class real>
static bool by_fours(const struct few_call *c, const struct groups *g) {
  bool yes = few__by_fours(c->out, c->bf16[0], sizeof(real), g->run);
  for (int k = 0; k < c->n_in; k++)
    yes = yes && few__by_fours(c->in[k].data, c->in[k].bf16, sizeof(real), g->run);
  return yes;
}

template <class real>
static void norm(const struct few_call *c) {
  const struct groups g = groups_of(c);
  return by_fours<real>(c, &g) ? norm_by<real, 4>(c, g) : norm_by<real, 1>(c, g);
}
FEW_CUDA_KERNEL(norm)

template <class real>
static void norm_tangent(const struct few_call *c) {
  const struct groups g = groups_of(c);
  return by_fours<real>(c, &g) ? tangent_by<real, 4>(c, g) : tangent_by<real, 1>(c, g);
}
FEW_CUDA_KERNEL(norm_tangent)
