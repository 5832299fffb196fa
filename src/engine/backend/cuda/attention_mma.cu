/* attention_mma.cu - flash attention, with its tangent and its gradient, on matrix units
 * (FlashAttention-2, Dao, arXiv 2307.08691; with tangents: Lu and Song, arXiv 2410.11081, appendix
 * F). attention.cu has the formulas and does the same in f32.
 *
 * A block of four warps has 64 queries, 16 per warp. Their scores, weights and sums stay in
 * registers as tiles of the matrix units (mma.h). Tiles of keys and values are copied to shared
 * memory and rounded to bf16; while one tile is multiplied, the next is copied. Each row of a tile
 * has four words of padding, so that the 32 words of a factor lie in 32 banks, whether they are
 * read by rows or by columns. The gradient of keys and values works in the same way, with the roles
 * of queries and keys exchanged.
 */
#include "attention_mma.h"

#include <math.h>

#include "mma.h"
#include "pack.h"

namespace {

enum { WARPS = 4, ROWS = 16 * WARPS };

struct heads {
  int64_t T;
  int h;
  float scale;
};

enum { Q, KEY, V, Y }; /* parts of qkv, and arrays like the result */

/* Index of the first of the D numbers at position t; nh counts images times heads. */
template <int D>
__device__ inline int64_t place(const struct heads *s, int64_t nh, int part, int64_t t) {
  const int64_t row = nh / s->h * s->T + t;
  return (part == Y ? row : row * 3 + part) * s->h * D + nh % s->h * D;
}

/* Words of a tile: `rows` rows of `columns` numbers, each with four words of padding. */
__host__ __device__ constexpr int words(int rows, int columns) { return rows * (columns / 2 + 4); }

/* Reads x[at] and x[at + 1]; at is even. */
__device__ inline uint32_t pair_of(struct from<float> x, int64_t at) {
  return x.bf16 ? ((const uint32_t *)x.at)[at / 2] : few__bf16_pair(x[at], x[at + 1]);
}
/* Writes y[at] and y[at + 1]; at is even. */
__device__ inline void put_pair(struct to<float> y, int64_t at, float a, float b) {
  if (y.bf16)
    ((uint32_t *)y.at)[at / 2] = few__bf16_pair(a, b);
  else
    ((pack<float, 2> *)y.at)[at / 2] = {{a, b}};
}

/* Starts an asynchronous copy of K positions from `first` on to a tile [K][D], with zeros past the
 * end. The tile may be read after few__copies_wait. */
template <int D, int K>
__device__ inline void load(const struct heads *s, int64_t nh, int part, int64_t first,
                            struct from<float> x, uint32_t *tile) {
  FEW_UNROLL
  for (int i = 0; i < K * D / 8 / (32 * WARPS); i++) {
    const int piece = i * 32 * WARPS + (int)threadIdx.x, row = piece / (D / 8), k = piece % (D / 8);
    const bool there = first + row < s->T;
    const int64_t at = place<D>(s, nh, part, there ? first + row : 0) + 8 * k;
    uint32_t *const to = tile + row * (D / 2 + 4) + 4 * k;
    if (x.bf16)
      few__copy_16(to, (const uint16_t *)x.at + at, there);
    else
      for (int w = 0; w < 4; w++)
        to[w] = there ? few__bf16_pair(x[at + 2 * w], x[at + 2 * w + 1]) : 0;
  }
}

/* An array, and the part of it whose tiles are loaded one after another. */
struct source {
  struct from<float> x;
  int part;
};

/* Calls f(first, tiles) for each group of K positions. `room` is a double buffer: 2 x N tiles, one
 * tile per source in each half. */
template <int D, int K, int N, class F>
__device__ inline void pass(const struct heads *s, int64_t nh, const struct source (&of)[N],
                            uint32_t *room, F f) {
  int now = 0;
  FEW_UNROLL
  for (int n = 0; n < N; n++) load<D, K>(s, nh, of[n].part, 0, of[n].x, room + n * words(K, D));
  few__copies_end();
  for (int64_t first = 0; first < s->T; first += K, now = 1 - now) {
    uint32_t *const next = room + (1 - now) * N * words(K, D);
    if (first + K < s->T) FEW_UNROLL
    for (int n = 0; n < N; n++)
      load<D, K>(s, nh, of[n].part, first + K, of[n].x, next + n * words(K, D));
    few__copies_end();
    few__copies_wait<1>();
    __syncthreads();
    f(first, room + now * N * words(K, D));
    __syncthreads();
  }
}

/* Loads the 16 positions of a warp from `first` on as factors, a[D/16][4]. */
template <int D>
__device__ inline void own(const struct heads *s, int64_t nh, int part, int64_t first,
                           struct from<float> x, uint32_t (*a)[4]) {
  const int lane = (int)threadIdx.x % 32, g = lane / 4, t = lane % 4;
  for (int k = 0; k < D / 16; k++)
    for (int r = 0; r < 4; r++) {
      const int64_t row = first + g + 8 * (r % 2);
      const int64_t at = place<D>(s, nh, part, row < s->T ? row : 0) + 16 * k + 8 * (r / 2) + 2 * t;
      a[k][r] = row < s->T ? pair_of(x, at) : 0;
    }
}

template <int N>
__device__ inline void clear(float (*x)[4]) {
  for (int j = 0; j < N; j++)
    for (int r = 0; r < 4; r++) x[j][r] = 0;
}

/* Calls f(k, j, b) for each factor b: numbers 16 k to 16 k + 15 of the head, rows 8 j to 8 j + 7 of
 * the tile. */
template <int D, int K, class F>
__device__ inline void each_column(const uint32_t *tile, F f) {
  FEW_UNROLL
  for (int i = 0; i < D / 16 * (K / 8); i++) {
    const int k = i / (K / 8), j = i % (K / 8);
    uint32_t b[2];
    few__mma_column(b, tile, D / 2 + 4, 8 * j, 16 * k);
    f(k, j, b);
  }
}
/* Calls f(n, b) for each factor b: rows 16 k to 16 k + 15 of the tile, numbers 8 n to 8 n + 7 of
 * the head. */
template <int D, class F>
__device__ inline void each_row(const uint32_t *tile, int k, F f) {
  FEW_UNROLL
  for (int n = 0; n < D / 8; n++) {
    uint32_t b[2];
    few__mma_row(b, tile, D / 2 + 4, 8 * n, 16 * k);
    f(n, b);
  }
}

/* to += a tile^T, where a [16][D] is the warp's rows and the tile is [K][D]. */
template <int D, int K>
__device__ inline void scores(float (*to)[4], const uint32_t (*a)[4], const uint32_t *tile) {
  each_column<D, K>(tile, [&](int k, int j, const uint32_t *b) { few__mma(to[j], a[k], b); });
}

/* to += p tile, where p is [16][K] and the tile [K][D]. */
template <int D, int K>
__device__ inline void blend(float (*to)[4], const float (*p)[4], const uint32_t *tile) {
  FEW_UNROLL
  for (int k = 0; k < K / 16; k++) {
    uint32_t a[4];
    few__mma_factor(a, p + 2 * k);
    each_row<D>(tile, k, [&](int n, const uint32_t *b) { few__mma(to[n], a, b); });
  }
}
/* The same for two factors p and p2, so that the tile is read once. */
template <int D, int K>
__device__ inline void blend_both(float (*to)[4], float (*to2)[4], const float (*p)[4],
                                  const float (*p2)[4], const uint32_t *tile) {
  FEW_UNROLL
  for (int k = 0; k < K / 16; k++) {
    uint32_t a[4], a2[4];
    few__mma_factor(a, p + 2 * k);
    few__mma_factor(a2, p2 + 2 * k);
    each_row<D>(tile, k, [&](int n, const uint32_t *b) {
      few__mma(to[n], a, b);
      few__mma(to2[n], a2, b);
    });
  }
}

/* Reduces x over the four lanes that share a row. */
__device__ inline float row_sum(float x) {
  x += __shfl_xor_sync(0xffffffffu, x, 1);
  return x + __shfl_xor_sync(0xffffffffu, x, 2);
}
__device__ inline float row_max(float x) {
  const float y = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
  return fmaxf(y, __shfl_xor_sync(0xffffffffu, y, 2));
}

/* Scales the scores. Those past the last key become -inf. */
template <int K>
__device__ inline void finish_scores(const struct heads *s, int64_t first, float (*x)[4]) {
  const int t = (int)threadIdx.x % 4;
  for (int j = 0; j < K / 8; j++)
    for (int r = 0; r < 4; r++)
      x[j][r] = first + 8 * j + 2 * t + r % 2 < s->T ? x[j][r] * s->scale : -INFINITY;
}

/* The running softmax of two rows, g and g + 8. */
struct rows {
  float m[2], l[2];
};

/* x becomes exp(x - m). Earlier sums must be multiplied by by[2], a factor per row. */
template <int K>
__device__ inline void weigh(struct rows *of, float (*x)[4], float by[2]) {
  FEW_UNROLL
  for (int half = 0; half < 2; half++) {
    float most = -INFINITY, sum = 0;
    for (int j = 0; j < K / 8; j++) most = fmaxf(most, fmaxf(x[j][2 * half], x[j][2 * half + 1]));
    const float grown = fmaxf(of->m[half], row_max(most));
    by[half] = expf(of->m[half] - grown);
    for (int j = 0; j < K / 8; j++)
      for (int r = 2 * half; r < 2 * half + 2; r++) sum += x[j][r] = expf(x[j][r] - grown);
    of->m[half] = grown;
    of->l[half] = of->l[half] * by[half] + sum; /* over this lane's keys; see row_sum */
  }
}

template <int N>
__device__ inline void scale_rows(float (*x)[4], const float by[2]) {
  for (int j = 0; j < N; j++)
    for (int r = 0; r < 4; r++) x[j][r] *= by[r / 2];
}

/* ---- value, and value with tangent ---- */

/* The rows of a warp: image and head, and the first of its 16 positions. */
struct rows_of_warp {
  int64_t nh, first;
};
__device__ inline struct rows_of_warp rows_here(const struct heads *s) {
  const int64_t blocks = (s->T + ROWS - 1) / ROWS;
  return {blockIdx.x / blocks, blockIdx.x % blocks * ROWS + (int64_t)threadIdx.x / 32 * 16};
}

template <int D, int K>
__global__ void value_kernel(struct heads s, struct from<float> x, struct to<float> y) {
  FEW_DYNAMIC(uint32_t, room);
  const struct rows_of_warp here = rows_here(&s);
  const int lane = (int)threadIdx.x % 32, t = lane % 4;
  uint32_t q[D / 16][4];
  float sum[D / 8][4];
  struct rows of = {{-INFINITY, -INFINITY}, {0, 0}};
  clear<D / 8>(sum);
  own<D>(&s, here.nh, Q, here.first, x, q);
  const struct source sources[] = {{x, KEY}, {x, V}};
  pass<D, K>(&s, here.nh, sources, room, [&](int64_t first, const uint32_t *tiles) {
    float p[K / 8][4], by[2];
    clear<K / 8>(p);
    scores<D, K>(p, q, tiles);
    finish_scores<K>(&s, first, p);
    weigh<K>(&of, p, by);
    scale_rows<D / 8>(sum, by);
    blend<D, K>(sum, p, tiles + words(K, D));
  });
  FEW_UNROLL
  for (int half = 0; half < 2; half++) {
    const float l = row_sum(of.l[half]);
    const int64_t row = here.first + lane / 4 + 8 * half;
    if (row >= s.T) continue;
    FEW_UNROLL
    for (int n = 0; n < D / 8; n++)
      put_pair(y, place<D>(&s, here.nh, Y, row) + 8 * n + 2 * t, sum[n][2 * half] / l,
               sum[n][2 * half + 1] / l);
  }
}

template <int D, int K>
__global__ void dual_kernel(struct heads s, struct from<float> x, struct from<float> dx,
                            struct to<float> y, struct to<float> ty) {
  FEW_DYNAMIC(uint32_t, room);
  const struct rows_of_warp here = rows_here(&s);
  const int lane = (int)threadIdx.x % 32, t = lane % 4;
  uint32_t q[D / 16][4], dq[D / 16][4];
  float sum[D / 8][4], tsum[D / 8][4], lt[2] = {0, 0};
  struct rows of = {{-INFINITY, -INFINITY}, {0, 0}};
  clear<D / 8>(sum);
  clear<D / 8>(tsum);
  own<D>(&s, here.nh, Q, here.first, x, q);
  own<D>(&s, here.nh, Q, here.first, dx, dq);
  const struct source sources[] = {{x, KEY}, {x, V}, {dx, KEY}, {dx, V}};
  pass<D, K>(&s, here.nh, sources, room, [&](int64_t first, const uint32_t *tiles) {
    const uint32_t *const v = tiles + words(K, D), *const dk = v + words(K, D),
                          *const dv = dk + words(K, D);
    float p[K / 8][4], pt[K / 8][4], by[2];
    clear<K / 8>(p);
    clear<K / 8>(pt);
    each_column<D, K>(tiles, [&](int k, int j, const uint32_t *b) {
      few__mma(p[j], q[k], b);
      few__mma(pt[j], dq[k], b);
    });
    scores<D, K>(pt, q, dk);
    finish_scores<K>(&s, first, p);
    weigh<K>(&of, p, by);
    scale_rows<D / 8>(sum, by);
    scale_rows<D / 8>(tsum, by);
    FEW_UNROLL
    for (int half = 0; half < 2; half++) lt[half] *= by[half];
    FEW_UNROLL
    for (int j = 0; j < K / 8; j++) FEW_UNROLL
    for (int r = 0; r < 4; r++) lt[r / 2] += pt[j][r] *= p[j][r] * s.scale;
    blend_both<D, K>(sum, tsum, p, pt, v);
    blend<D, K>(tsum, p, dv);
  });
  FEW_UNROLL
  for (int half = 0; half < 2; half++) {
    const float l = row_sum(of.l[half]), tl = row_sum(lt[half]);
    const int64_t row = here.first + lane / 4 + 8 * half;
    if (row >= s.T) continue;
    FEW_UNROLL
    for (int n = 0; n < D / 8; n++) {
      const int64_t at = place<D>(&s, here.nh, Y, row) + 8 * n + 2 * t;
      const float low = sum[n][2 * half] / l, high = sum[n][2 * half + 1] / l;
      put_pair(y, at, low, high);
      put_pair(ty, at, (tsum[n][2 * half] - tl * low) / l, (tsum[n][2 * half + 1] - tl * high) / l);
    }
  }
}

/* ---- gradient ---- */

/* For the queries of a block: stores L = m + ln l and delta = sum of P dP in keep, then computes
 * dq. */
template <int D, int K>
__global__ void query_kernel(struct heads s, struct from<float> x, struct from<float> dy,
                             struct to<float> dx, float *keep) {
  FEW_DYNAMIC(uint32_t, room);
  const struct rows_of_warp here = rows_here(&s);
  const int lane = (int)threadIdx.x % 32, t = lane % 4;
  uint32_t q[D / 16][4], g[D / 16][4];
  float dq[D / 8][4], L[2], delta[2] = {0, 0};
  struct rows of = {{-INFINITY, -INFINITY}, {0, 0}};
  clear<D / 8>(dq);
  own<D>(&s, here.nh, Q, here.first, x, q);
  own<D>(&s, here.nh, Y, here.first, dy, g);
  const struct source sources[] = {{x, KEY}, {x, V}};
  const auto weights = [&](int64_t first, const uint32_t *tiles, float(*p)[4], float(*dp)[4]) {
    clear<K / 8>(p);
    clear<K / 8>(dp);
    scores<D, K>(p, q, tiles);
    scores<D, K>(dp, g, tiles + words(K, D));
    finish_scores<K>(&s, first, p);
  };
  pass<D, K>(&s, here.nh, sources, room, [&](int64_t first, const uint32_t *tiles) {
    float p[K / 8][4], dp[K / 8][4], by[2];
    weights(first, tiles, p, dp);
    weigh<K>(&of, p, by);
    FEW_UNROLL
    for (int half = 0; half < 2; half++) delta[half] *= by[half];
    FEW_UNROLL
    for (int j = 0; j < K / 8; j++) FEW_UNROLL
    for (int r = 0; r < 4; r++) delta[r / 2] += p[j][r] * dp[j][r];
  });
  FEW_UNROLL
  for (int half = 0; half < 2; half++) {
    const float l = row_sum(of.l[half]);
    delta[half] = row_sum(delta[half]) / l;
    L[half] = of.m[half] + logf(l);
  }
  pass<D, K>(&s, here.nh, sources, room, [&](int64_t first, const uint32_t *tiles) {
    float p[K / 8][4], dp[K / 8][4];
    weights(first, tiles, p, dp);
    FEW_UNROLL
    for (int j = 0; j < K / 8; j++) FEW_UNROLL
    for (int r = 0; r < 4; r++)
      p[j][r] = expf(p[j][r] - L[r / 2]) * (dp[j][r] - delta[r / 2]) * s.scale;
    blend<D, K>(dq, p, tiles);
  });
  FEW_UNROLL
  for (int half = 0; half < 2; half++) {
    const int64_t row = here.first + lane / 4 + 8 * half;
    if (row >= s.T) continue;
    FEW_UNROLL
    for (int n = 0; n < D / 8; n++)
      put_pair(dx, place<D>(&s, here.nh, Q, row) + 8 * n + 2 * t, dq[n][2 * half],
               dq[n][2 * half + 1]);
    if (t) continue;
    keep[(here.nh * s.T + row) * 2] = L[half];
    keep[(here.nh * s.T + row) * 2 + 1] = delta[half];
  }
}

/* For the keys of a block: computes dk and dv. Rows are keys here, and tiles hold queries. */
template <int D, int K>
__global__ void key_kernel(struct heads s, struct from<float> x, struct from<float> dy,
                           struct to<float> dx, const float *keep) {
  FEW_DYNAMIC(uint32_t, room);
  const struct rows_of_warp here = rows_here(&s);
  const int lane = (int)threadIdx.x % 32, t = lane % 4;
  uint32_t k[D / 16][4], v[D / 16][4];
  float dk[D / 8][4], dv[D / 8][4];
  clear<D / 8>(dk);
  clear<D / 8>(dv);
  own<D>(&s, here.nh, KEY, here.first, x, k);
  own<D>(&s, here.nh, V, here.first, x, v);
  const struct source sources[] = {{x, Q}, {dy, Y}};
  pass<D, K>(&s, here.nh, sources, room, [&](int64_t first, const uint32_t *tiles) {
    const uint32_t *const g = tiles + words(K, D);
    float p[K / 8][4], ds[K / 8][4];
    clear<K / 8>(p);
    clear<K / 8>(ds);
    scores<D, K>(p, k, tiles);
    scores<D, K>(ds, v, g);
    FEW_UNROLL
    for (int j = 0; j < K / 8; j++) FEW_UNROLL
    for (int r = 0; r < 4; r++) {
      const int64_t i = first + 8 * j + 2 * t + r % 2;
      const float *const of = keep + (here.nh * s.T + (i < s.T ? i : 0)) * 2;
      p[j][r] = i < s.T ? expf(p[j][r] * s.scale - of[0]) : 0;
      ds[j][r] = p[j][r] * (ds[j][r] - of[1]) * s.scale;
    }
    blend<D, K>(dv, p, g);
    blend<D, K>(dk, ds, tiles);
  });
  FEW_UNROLL
  for (int half = 0; half < 2; half++) {
    const int64_t row = here.first + lane / 4 + 8 * half;
    if (row >= s.T) continue;
    FEW_UNROLL
    for (int n = 0; n < D / 8; n++) {
      const int at = 8 * n + 2 * t;
      put_pair(dx, place<D>(&s, here.nh, KEY, row) + at, dk[n][2 * half], dk[n][2 * half + 1]);
      put_pair(dx, place<D>(&s, here.nh, V, row) + at, dv[n][2 * half], dv[n][2 * half + 1]);
    }
  }
}

/* ---- launches ---- */

template <int D>
struct launch {
  static constexpr int K = D > 64 ? 32 : 64; /* keys per tile, limited by registers */

  static constexpr size_t room(int sources) {
    return (size_t)(2 * sources * words(K, D)) * sizeof(uint32_t);
  }
  static void value(const struct few_call *c, const struct heads &s, int64_t blocks) {
    FEW_LAUNCH(c->queue, (value_kernel<D, K>), blocks, 32 * WARPS, room(2), s, operand<float>(c, 0),
               result<float>(c));
  }
  static void dual(const struct few_call *c, const struct heads &s, int64_t blocks) {
    const struct to<float> y = result<float>(c), ty = y + count_of(c->shape) / 2;
    FEW_LAUNCH(c->queue, (dual_kernel<D, K>), blocks, 32 * WARPS, room(4), s, operand<float>(c, 0),
               operand<float>(c, 1), y, ty);
  }
  static void grad(const struct few_call *c, const struct heads &s, int64_t blocks) {
    const struct from<float> x = operand<float>(c, 0), dy = operand<float>(c, 1);
    const struct to<float> dx = result<float>(c);
    float *keep = (float *)c->scratch;
    FEW_LAUNCH(c->queue, (query_kernel<D, K>), blocks, 32 * WARPS, room(2), s, x, dy, dx, keep);
    FEW_LAUNCH(c->queue, (key_kernel<D, K>), blocks, 32 * WARPS, room(2), s, x, dy, dx,
               (const float *)keep);
  }
};

struct heads heads_of(const struct few_call *c, int64_t *blocks) {
  const struct few_shape x = c->in[0].shape;
  *blocks = x.dim[0] * x.dim[3] * ((x.dim[1] + ROWS - 1) / ROWS);
  return {x.dim[1], (int)x.dim[3], (float)c->node->attr.attention.scale};
}

}  // namespace

bool few__cuda_attention_mma_takes(const struct few_call *c) {
  const int64_t D = c->in[0].shape.dim[4];
  return c->precision == FEW_BF16 && (D == 32 || D == 64 || D == 128);
}

#define FOR_D(call)                           \
  switch (c->in[0].shape.dim[4]) {            \
    case 32:                                  \
      return launch<32>::call(c, s, blocks);  \
    case 64:                                  \
      return launch<64>::call(c, s, blocks);  \
    default:                                  \
      return launch<128>::call(c, s, blocks); \
  }

void few__cuda_attention_mma(const struct few_call *c, bool dual) {
  int64_t blocks;
  const struct heads s = heads_of(c, &blocks);
  if (dual) FOR_D(dual)
  FOR_D(value)
}

void few__cuda_attention_mma_grad(const struct few_call *c) {
  int64_t blocks;
  const struct heads s = heads_of(c, &blocks);
  FOR_D(grad)
}
