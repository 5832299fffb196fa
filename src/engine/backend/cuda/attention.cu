/* attention.cu - y = softmax(scale q k^T) v, optionally with its tangent, and its gradient, by
 * flash attention (Dao et al., arXiv 2205.14135; with tangents: Lu and Song, arXiv 2410.11081,
 * appendix F). ref/k_attention.c has the formulas.
 *
 * Each warp has one query. The WARPS warps of a block share tiles of 32 keys in shared memory.
 * First, lane j computes the score of key j of the tile. Then lane d is number d of the head, and
 * adds the values of the tile. m is the largest score so far and l = sum exp(s - m); whenever m
 * grows, the sums are scaled by exp(m_old - m_new):
 *
 *   y = sum p v / l,   ty = (sum (p t) v + sum p dv - (sum p t) y) / l,   p = exp(s - m),
 *   t = scale (dq k^T + q dk^T) the tangent of the score.
 *
 * The gradient needs L = m + ln l and delta = sum_j P dp = dy y of each query, which are kept in
 * the scratch. Then dq is a sum over keys, and dk and dv are sums over queries. Each sum belongs to
 * one thread, so its order is fixed.
 */
#include <math.h>

#include "attention_mma.h"

enum { WARPS = 8, TILE = 32, MOST_D = 256, PER_LANE = MOST_D / 32 };

struct heads {
  int64_t T;
  int h, D;
  double scale;
};

/* The row of q, k or v (`which`) of image and head at position t. */
enum { Q, KEY, V };
static __device__ inline int64_t qkv_at(const struct heads *s, int64_t nh, int which, int64_t t) {
  return ((nh / s->h * s->T + t) * 3 + which) * s->h * s->D + nh % s->h * s->D;
}
static __device__ inline int64_t y_at(const struct heads *s, int64_t nh, int64_t t) {
  return (nh / s->h * s->T + t) * s->h * s->D + nh % s->h * s->D;
}

/* The block copies TILE rows of `which`, from `first` on, into tile [TILE][D + 1]. Rows past the
 * end are zero. With y, x has the shape of the result instead of that of qkv. */
template <class real>
static __device__ inline void load(const struct heads *s, int64_t nh, int which, bool y,
                                   int64_t first, struct from<real> x, real *tile) {
  for (int i = (int)threadIdx.x; i < TILE * s->D; i += (int)blockDim.x) {
    const int j = i / s->D, d = i % s->D;
    const int64_t t = first + j;
    tile[j * (s->D + 1) + d] =
        t < s->T ? x[(y ? y_at(s, nh, t) : qkv_at(s, nh, which, t)) + d] : (real)0;
  }
}

template <class real>
static __device__ inline real dot(const real *a, const real *b, int D) {
  real sum = 0;
  for (int d = 0; d < D; d++) sum += a[d] * b[d];
  return sum;
}

/* to += sum over j of (p of lane j) times row j of the tile. Lane d has numbers d, d + 32, ... */
template <class real>
static __device__ inline void add_rows(real *to, real p, const real *tile, int D) {
  const int lane = (int)threadIdx.x % 32;
  for (int j = 0; j < TILE; j++) {
    const real pj = __shfl_sync(0xffffffffu, p, j);
    for (int k = 0; k < PER_LANE; k++)
      if (lane + 32 * k < D) to[k] += pj * tile[j * (D + 1) + lane + 32 * k];
  }
}

template <class real>
static __device__ inline void scale_by(real *x, real by) {
  for (int k = 0; k < PER_LANE; k++) x[k] *= by;
}

/* ---- value, and value with tangent ---- */

template <class real, bool DUAL>
static __global__ void value_kernel(struct heads s, struct from<real> x, struct from<real> dx,
                                    struct to<real> y, struct to<real> ty) {
  FEW_DYNAMIC(real, room);
  const int D = s.D, row = D + 1, warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32;
  const int64_t tiles = (s.T + WARPS - 1) / WARPS; /* neighbours share keys and values */
  const int64_t nh = blockIdx.x / tiles, i = blockIdx.x % tiles * WARPS + warp;
  real *const k = room, *const v = k + TILE * row, *const dk = v + TILE * row,
              *const dv = dk + (DUAL ? TILE * row : 0),
              *const q = dv + (DUAL ? TILE * row : 0) + warp * (DUAL ? 2 : 1) * D,
              *const dq = q + D;
  const real scale = (real)s.scale;
  real acc[PER_LANE] = {}, tacc[PER_LANE] = {}, m = -(real)INFINITY, l = 0, lt = 0;
  for (int d = lane; d < D && i < s.T; d += 32) {
    q[d] = x[qkv_at(&s, nh, Q, i) + d];
    if (DUAL) dq[d] = dx[qkv_at(&s, nh, Q, i) + d];
  }
  for (int64_t first = 0; first < s.T; first += TILE) {
    __syncthreads();
    load(&s, nh, KEY, false, first, x, k);
    load(&s, nh, V, false, first, x, v);
    if (DUAL) load(&s, nh, KEY, false, first, dx, dk);
    if (DUAL) load(&s, nh, V, false, first, dx, dv);
    __syncthreads();
    if (i >= s.T) continue;
    const bool there = first + lane < s.T;
    const real score = there ? scale * dot(q, k + lane * row, D) : -(real)INFINITY;
    const real most = warp_max(score), grown = most > m ? most : m, shrink = exp(m - grown);
    const real p = there ? exp(score - grown) : (real)0;
    m = grown;
    l = l * shrink + warp_sum(p);
    scale_by(acc, shrink);
    add_rows(acc, p, v, D);
    if (!DUAL) continue;
    const real pt =
        there ? p * scale * (dot(dq, k + lane * row, D) + dot(q, dk + lane * row, D)) : (real)0;
    lt = lt * shrink + warp_sum(pt);
    scale_by(tacc, shrink);
    add_rows(tacc, pt, v, D);
    add_rows(tacc, p, dv, D);
  }
  for (int e = 0; e < PER_LANE && i < s.T; e++) {
    const int d = lane + 32 * e;
    if (d >= D) continue;
    y.put(y_at(&s, nh, i) + d, acc[e] / l);
    if (DUAL) ty.put(y_at(&s, nh, i) + d, (tacc[e] - lt * (acc[e] / l)) / l);
  }
}

/* ---- gradient ---- */

/* For query i: computes L, delta and dq. */
template <class real>
static __global__ void query_kernel(struct heads s, struct from<real> x, struct from<real> dy,
                                    struct to<real> dx, real *keep) {
  FEW_DYNAMIC(real, room);
  const int D = s.D, row = D + 1, warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32;
  const int64_t tiles = (s.T + WARPS - 1) / WARPS; /* neighbours share keys and values */
  const int64_t nh = blockIdx.x / tiles, i = blockIdx.x % tiles * WARPS + warp;
  real *const k = room, *const v = k + TILE * row, *const q = v + TILE * row + warp * 2 * D,
              *const g = q + D;
  const real scale = (real)s.scale;
  real m = -(real)INFINITY, l = 0, delta = 0, dq[PER_LANE] = {};
  for (int d = lane; d < D && i < s.T; d += 32) {
    q[d] = x[qkv_at(&s, nh, Q, i) + d];
    g[d] = dy[y_at(&s, nh, i) + d];
  }
  for (int sweep = 0; sweep < 2; sweep++) {
    for (int64_t first = 0; first < s.T; first += TILE) {
      __syncthreads();
      load(&s, nh, KEY, false, first, x, k);
      load(&s, nh, V, false, first, x, v);
      __syncthreads();
      if (i >= s.T) continue;
      const bool there = first + lane < s.T;
      const real score = there ? scale * dot(q, k + lane * row, D) : -(real)INFINITY;
      const real dp = dot(g, v + lane * row, D);
      if (sweep) { /* m is L in the second sweep */
        const real p = there ? exp(score - m) : (real)0;
        add_rows(dq, scale * p * (dp - delta), k, D);
        continue;
      }
      const real most = warp_max(score), grown = most > m ? most : m, shrink = exp(m - grown);
      const real p = there ? exp(score - grown) : (real)0;
      m = grown;
      l = l * shrink + warp_sum(p);
      delta = delta * shrink + warp_sum(p * dp);
    }
    if (sweep == 0) {
      delta /= l;
      m += log(l);
    }
  }
  if (i >= s.T) return;
  for (int e = 0; e < PER_LANE; e++)
    if (lane + 32 * e < D) dx.put(qkv_at(&s, nh, Q, i) + lane + 32 * e, dq[e]);
  if (lane == 0) {
    keep[(nh * s.T + i) * 2] = m;
    keep[(nh * s.T + i) * 2 + 1] = delta;
  }
}

/* For key j: computes dk and dv. */
template <class real>
static __global__ void key_kernel(struct heads s, struct from<real> x, struct from<real> dy,
                                  struct to<real> dx, const real *keep) {
  FEW_DYNAMIC(real, room);
  const int D = s.D, row = D + 1, warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32;
  const int64_t tiles = (s.T + WARPS - 1) / WARPS; /* neighbours share keys and values */
  const int64_t nh = blockIdx.x / tiles, j = blockIdx.x % tiles * WARPS + warp;
  real *const q = room, *const g = q + TILE * row, *const k = g + TILE * row + warp * 2 * D,
              *const v = k + D;
  const real scale = (real)s.scale;
  real dk[PER_LANE] = {}, dv[PER_LANE] = {};
  for (int d = lane; d < D && j < s.T; d += 32) {
    k[d] = x[qkv_at(&s, nh, KEY, j) + d];
    v[d] = x[qkv_at(&s, nh, V, j) + d];
  }
  for (int64_t first = 0; first < s.T; first += TILE) {
    __syncthreads();
    load(&s, nh, Q, false, first, x, q);
    load(&s, nh, Q, true, first, dy, g);
    __syncthreads();
    if (j >= s.T) continue;
    const int64_t i = first + lane;
    const real *const of = keep + (nh * s.T + i) * 2;
    const real p = i < s.T ? exp(scale * dot(q + lane * row, k, D) - of[0]) : (real)0;
    const real ds = i < s.T ? scale * p * (dot(g + lane * row, v, D) - of[1]) : (real)0;
    add_rows(dk, ds, q, D);
    add_rows(dv, p, g, D);
  }
  for (int e = 0; e < PER_LANE && j < s.T; e++) {
    const int d = lane + 32 * e;
    if (d >= D) continue;
    dx.put(qkv_at(&s, nh, KEY, j) + d, dk[e]);
    dx.put(qkv_at(&s, nh, V, j) + d, dv[e]);
  }
}

/* ---- launches ---- */

static bool heads_of(const struct few_call *c, struct heads *s, int64_t *blocks) {
  const struct few_shape x = c->in[0].shape;
  s->T = x.dim[1];
  s->h = (int)x.dim[3];
  s->D = (int)x.dim[4];
  s->scale = c->node->attr.attention.scale;
  *blocks = x.dim[0] * s->h * ((s->T + WARPS - 1) / WARPS);
  if (s->D <= MOST_D) return true;
  few__cuda_fail(c->queue, "attention", "heads of more than 256 numbers have no kernel");
  return false;
}

/* Shared memory for `tiles` tiles of the block and `each` vectors per warp. */
template <class real>
static size_t room(const struct heads *s, int tiles, int each) {
  return (size_t)(tiles * TILE * (s->D + 1) + WARPS * each * s->D) * sizeof(real);
}

/* Whether to use matrix units: for f32, if products may be rounded to bf16. */
template <class real>
static bool for_matrix_units(const struct few_call *c) {
  return sizeof(real) == sizeof(float) && few__cuda_attention_mma_takes(c);
}

template <class real>
static void attention(const struct few_call *c) {
  struct heads s;
  int64_t blocks;
  if (for_matrix_units<real>(c)) return few__cuda_attention_mma(c, false);
  if (!heads_of(c, &s, &blocks)) return;
  FEW_LAUNCH(c->queue, (value_kernel<real, false>), blocks, 32 * WARPS, room<real>(&s, 2, 1), s,
             operand<real>(c, 0), operand<real>(c, 0), result<real>(c), result<real>(c));
}
FEW_CUDA_KERNEL(attention)

template <class real>
static void attention_dual(const struct few_call *c) {
  struct heads s;
  int64_t blocks;
  if (for_matrix_units<real>(c)) return few__cuda_attention_mma(c, true);
  if (!heads_of(c, &s, &blocks)) return;
  const struct to<real> y = result<real>(c), ty = y + count_of(c->shape) / 2;
  FEW_LAUNCH(c->queue, (value_kernel<real, true>), blocks, 32 * WARPS, room<real>(&s, 4, 2), s,
             operand<real>(c, 0), operand<real>(c, 1), y, ty);
}
FEW_CUDA_KERNEL(attention_dual)

template <class real>
static void attention_grad(const struct few_call *c) {
  struct heads s;
  int64_t blocks;
  if (for_matrix_units<real>(c)) return few__cuda_attention_mma_grad(c);
  if (!heads_of(c, &s, &blocks)) return;
  const struct from<real> x = operand<real>(c, 0), dy = operand<real>(c, 1);
  const struct to<real> dx = result<real>(c);
  real *keep = (real *)c->scratch;
  FEW_LAUNCH(c->queue, query_kernel<real>, blocks, 32 * WARPS, room<real>(&s, 2, 2), s, x, dy, dx,
             keep);
  FEW_LAUNCH(c->queue, key_kernel<real>, blocks, 32 * WARPS, room<real>(&s, 2, 2), s, x, dy, dx,
             (const real *)keep);
}
FEW_CUDA_KERNEL(attention_grad)

template <class real>
static size_t attention_grad_scratch(const struct few_call *c) {
  const struct few_shape x = c->in[0].shape;
  return (size_t)(x.dim[0] * x.dim[1] * x.dim[3]) * 2 * sizeof(real);
}
FEW_CUDA_SCRATCH(attention_grad)
