/* attention_mma.cu - flash attention, with its tangent and its gradient, on matrix units
 * (FlashAttention-2, Dao, arXiv 2307.08691; with tangents: Lu and Song, arXiv 2410.11081, appendix
 * F). attention.cu has the formulas and does the same in f32.
 *
 * A block of four warps takes 64 queries, a warp 16 of them, whose scores, weights and sums stay in
 * its registers as tiles of the matrix units (mma.h). Tiles of keys pass by in shared memory,
 * rounded to bf16: as rows where a product runs over numbers of the head, turned where it runs over
 * keys. A row of a tile has four words more than it needs, so that the 32 words of a factor lie in
 * 32 banks. The gradient of keys and values is the same with the parts of queries and keys
 * exchanged.
 */
#include "attention_mma.h"

#include <math.h>

#include "mma.h"

namespace {

enum { WARPS = 4, ROWS = 16 * WARPS };

struct heads {
  int64_t T;
  int h;
  float scale;
};

enum { Q, KEY, V, Y }; /* parts of qkv, and arrays like the result */

/* Where number 0 of position t of image and head nh is. */
template <int D>
__device__ inline int64_t place(const struct heads *s, int64_t nh, int part, int64_t t) {
  const int64_t row = nh / s->h * s->T + t;
  return (part == Y ? row : row * 3 + part) * s->h * D + nh % s->h * D;
}

/* Words of a tile: `rows` of `columns` numbers each, with four words more. */
__host__ __device__ constexpr int words(int rows, int columns) { return rows * (columns / 2 + 4); }

/* Neighbours, of which the first has an even place. */
__device__ inline uint32_t pair_of(struct from<float> x, int64_t at) {
  return x.half ? ((const uint32_t *)x.at)[at / 2] : few__bf16_pair(x[at], x[at + 1]);
}

/* K positions from `first` on, [K][D]; zeros past the end. */
template <int D, int K>
__device__ inline void load(const struct heads *s, int64_t nh, int part, int64_t first,
                            struct from<float> x, uint32_t *tile) {
  for (int i = (int)threadIdx.x; i < K * D / 2; i += (int)blockDim.x) {
    const int row = i / (D / 2), pair = i % (D / 2);
    const bool there = first + row < s->T;
    const int64_t at = place<D>(s, nh, part, first + (there ? row : 0)) + 2 * pair;
    tile[row * (D / 2 + 4) + pair] = there ? pair_of(x, at) : 0;
  }
}

/* The same turned, [D][K]. */
template <int D, int K>
__device__ inline void load_turned(const struct heads *s, int64_t nh, int part, int64_t first,
                                   struct from<float> x, uint32_t *tile) {
  for (int i = (int)threadIdx.x; i < D * K / 2; i += (int)blockDim.x) {
    const int d = i % D, row = i / D * 2;
    const float low = first + row < s->T ? x[place<D>(s, nh, part, first + row) + d] : 0;
    const float high = first + row + 1 < s->T ? x[place<D>(s, nh, part, first + row + 1) + d] : 0;
    tile[d * (K / 2 + 4) + row / 2] = few__bf16_pair(low, high);
  }
}

/* The 16 positions of a warp as factors, a[D/16][4]. */
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

/* to += a of the warp's rows times a tile's rows: [16][D] [K][D]^T. */
template <int D, int K>
__device__ inline void scores(float (*to)[4], const uint32_t (*a)[4], const uint32_t *tile) {
  for (int k = 0; k < D / 16; k++)
    for (int j = 0; j < K / 8; j++) {
      uint32_t b[2];
      few__mma_column(b, tile, D / 2 + 4, 8 * j, 16 * k);
      few__mma(to[j], a[k], b);
    }
}

/* to += p times a turned tile: [16][K] [D][K]^T. */
template <int D, int K>
__device__ inline void blend(float (*to)[4], const float (*p)[4], const uint32_t *tile) {
  for (int k = 0; k < K / 16; k++) {
    uint32_t a[4], b[2];
    few__mma_factor(a, p + 2 * k);
    for (int n = 0; n < D / 8; n++) {
      few__mma_column(b, tile, K / 2 + 4, 8 * n, 16 * k);
      few__mma(to[n], a, b);
    }
  }
}

/* Over the four lanes that share a row. */
__device__ inline float row_sum(float x) {
  x += __shfl_xor_sync(0xffffffffu, x, 1);
  return x + __shfl_xor_sync(0xffffffffu, x, 2);
}
__device__ inline float row_max(float x) {
  const float y = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, 1));
  return fmaxf(y, __shfl_xor_sync(0xffffffffu, y, 2));
}

/* Scaled scores, -inf past the last key. */
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

/* x becomes exp(x - m); by[2] is what sums so far are to be scaled with. */
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
    of->l[half] = of->l[half] * by[half] + sum; /* the lane's own keys: row_sum at the end */
  }
}

template <int N>
__device__ inline void scale_rows(float (*x)[4], const float by[2]) {
  for (int j = 0; j < N; j++)
    for (int r = 0; r < 4; r++) x[j][r] *= by[r / 2];
}

/* ---- value, and value with tangent ---- */

template <int D, int K, bool DUAL>
__global__ void value_kernel(struct heads s, struct from<float> x, struct from<float> dx,
                             struct to<float> y, struct to<float> ty) {
  FEW_DYNAMIC(uint32_t, room);
  const int64_t blocks = (s.T + ROWS - 1) / ROWS, nh = blockIdx.x / blocks;
  const int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32, t = lane % 4;
  const int64_t first_row = blockIdx.x % blocks * ROWS + 16 * warp;
  uint32_t *const k = room, *const v = k + words(K, D), *const dk = v + words(D, K),
                  *const dv = dk + words(K, D);
  uint32_t q[D / 16][4], dq[DUAL ? D / 16 : 1][4];
  float sum[D / 8][4], tsum[DUAL ? D / 8 : 1][4], lt[2] = {0, 0};
  struct rows of = {{-INFINITY, -INFINITY}, {0, 0}};
  clear<D / 8>(sum);
  own<D>(&s, nh, Q, first_row, x, q);
  if (DUAL) {
    clear<D / 8>(tsum);
    own<D>(&s, nh, Q, first_row, dx, dq);
  }
  for (int64_t first = 0; first < s.T; first += K) {
    float p[K / 8][4], pt[DUAL ? K / 8 : 1][4], by[2];
    __syncthreads();
    load<D, K>(&s, nh, KEY, first, x, k);
    load_turned<D, K>(&s, nh, V, first, x, v);
    if (DUAL) load<D, K>(&s, nh, KEY, first, dx, dk);
    if (DUAL) load_turned<D, K>(&s, nh, V, first, dx, dv);
    __syncthreads();
    clear<K / 8>(p);
    scores<D, K>(p, q, k);
    finish_scores<K>(&s, first, p);
    weigh<K>(&of, p, by);
    scale_rows<D / 8>(sum, by);
    blend<D, K>(sum, p, v);
    if (!DUAL) continue;
    clear<K / 8>(pt);
    scores<D, K>(pt, dq, k);
    scores<D, K>(pt, q, dk);
    scale_rows<D / 8>(tsum, by);
    FEW_UNROLL
    for (int half = 0; half < 2; half++) lt[half] *= by[half];
    for (int j = 0; j < K / 8; j++)
      for (int r = 0; r < 4; r++) lt[r / 2] += pt[j][r] *= p[j][r] * s.scale;
    blend<D, K>(tsum, pt, v);
    blend<D, K>(tsum, p, dv);
  }
  FEW_UNROLL
  for (int half = 0; half < 2; half++) {
    const float l = row_sum(of.l[half]), tl = DUAL ? row_sum(lt[half]) : 0;
    const int64_t row = first_row + lane / 4 + 8 * half;
    for (int n = 0; n < D / 8 && row < s.T; n++)
      for (int r = 2 * half; r < 2 * half + 2; r++) {
        const int64_t at = place<D>(&s, nh, Y, row) + 8 * n + 2 * t + r % 2;
        y.put(at, sum[n][r] / l);
        if (DUAL) ty.put(at, (tsum[n][r] - tl * (sum[n][r] / l)) / l);
      }
  }
}

/* ---- gradient ---- */

/* Of a block's queries: L = m + ln l, delta = sum of P dP, into keep; then dq. */
template <int D, int K>
__global__ void query_kernel(struct heads s, struct from<float> x, struct from<float> dy,
                             struct to<float> dx, float *keep) {
  FEW_DYNAMIC(uint32_t, room);
  const int64_t blocks = (s.T + ROWS - 1) / ROWS, nh = blockIdx.x / blocks;
  const int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32, t = lane % 4;
  const int64_t first_row = blockIdx.x % blocks * ROWS + 16 * warp;
  uint32_t *const k = room, *const v = k + words(K, D), *const turned = v + words(K, D);
  uint32_t q[D / 16][4], g[D / 16][4];
  float dq[D / 8][4], L[2] = {0, 0}, delta[2] = {0, 0};
  struct rows of = {{-INFINITY, -INFINITY}, {0, 0}};
  clear<D / 8>(dq);
  own<D>(&s, nh, Q, first_row, x, q);
  own<D>(&s, nh, Y, first_row, dy, g);
  for (int sweep = 0; sweep < 2; sweep++) {
    for (int64_t first = 0; first < s.T; first += K) {
      float p[K / 8][4], dp[K / 8][4], by[2];
      __syncthreads();
      load<D, K>(&s, nh, KEY, first, x, k);
      load<D, K>(&s, nh, V, first, x, v);
      if (sweep) load_turned<D, K>(&s, nh, KEY, first, x, turned);
      __syncthreads();
      clear<K / 8>(p);
      clear<K / 8>(dp);
      scores<D, K>(p, q, k);
      scores<D, K>(dp, g, v);
      finish_scores<K>(&s, first, p);
      if (!sweep) {
        weigh<K>(&of, p, by);
        FEW_UNROLL
        for (int half = 0; half < 2; half++) delta[half] *= by[half];
        for (int j = 0; j < K / 8; j++)
          for (int r = 0; r < 4; r++) delta[r / 2] += p[j][r] * dp[j][r];
        continue;
      }
      for (int j = 0; j < K / 8; j++)
        for (int r = 0; r < 4; r++)
          p[j][r] = expf(p[j][r] - L[r / 2]) * (dp[j][r] - delta[r / 2]) * s.scale;
      blend<D, K>(dq, p, turned);
    }
    FEW_UNROLL
    for (int half = 0; half < 2 && !sweep; half++) {
      const float l = row_sum(of.l[half]);
      delta[half] = row_sum(delta[half]) / l;
      L[half] = of.m[half] + logf(l);
    }
  }
  FEW_UNROLL
  for (int half = 0; half < 2; half++) {
    const int64_t row = first_row + lane / 4 + 8 * half;
    if (row >= s.T) continue;
    for (int n = 0; n < D / 8; n++)
      for (int r = 2 * half; r < 2 * half + 2; r++)
        dx.put(place<D>(&s, nh, Q, row) + 8 * n + 2 * t + r % 2, dq[n][r]);
    if (t) continue;
    keep[(nh * s.T + row) * 2] = L[half];
    keep[(nh * s.T + row) * 2 + 1] = delta[half];
  }
}

/* Of a block's keys: dk and dv. Rows are keys here, and what passes by are queries. */
template <int D, int K>
__global__ void key_kernel(struct heads s, struct from<float> x, struct from<float> dy,
                           struct to<float> dx, const float *keep) {
  FEW_DYNAMIC(uint32_t, room);
  const int64_t blocks = (s.T + ROWS - 1) / ROWS, nh = blockIdx.x / blocks;
  const int warp = (int)threadIdx.x / 32, lane = (int)threadIdx.x % 32, t = lane % 4;
  const int64_t first_row = blockIdx.x % blocks * ROWS + 16 * warp;
  uint32_t *const q = room, *const g = q + words(K, D), *const q_turned = g + words(K, D),
                  *const g_turned = q_turned + words(D, K);
  uint32_t k[D / 16][4], v[D / 16][4];
  float dk[D / 8][4], dv[D / 8][4];
  clear<D / 8>(dk);
  clear<D / 8>(dv);
  own<D>(&s, nh, KEY, first_row, x, k);
  own<D>(&s, nh, V, first_row, x, v);
  for (int64_t first = 0; first < s.T; first += K) {
    float p[K / 8][4], ds[K / 8][4];
    __syncthreads();
    load<D, K>(&s, nh, Q, first, x, q);
    load<D, K>(&s, nh, Y, first, dy, g);
    load_turned<D, K>(&s, nh, Q, first, x, q_turned);
    load_turned<D, K>(&s, nh, Y, first, dy, g_turned);
    __syncthreads();
    clear<K / 8>(p);
    clear<K / 8>(ds);
    scores<D, K>(p, k, q);
    scores<D, K>(ds, v, g);
    for (int j = 0; j < K / 8; j++)
      for (int r = 0; r < 4; r++) {
        const int64_t i = first + 8 * j + 2 * t + r % 2;
        const float *const of = keep + (nh * s.T + (i < s.T ? i : 0)) * 2;
        p[j][r] = i < s.T ? expf(p[j][r] * s.scale - of[0]) : 0;
        ds[j][r] = p[j][r] * (ds[j][r] - of[1]) * s.scale;
      }
    blend<D, K>(dv, p, g_turned);
    blend<D, K>(dk, ds, q_turned);
  }
  FEW_UNROLL
  for (int half = 0; half < 2; half++) {
    const int64_t row = first_row + lane / 4 + 8 * half;
    for (int n = 0; n < D / 8 && row < s.T; n++)
      for (int r = 2 * half; r < 2 * half + 2; r++) {
        const int at = 8 * n + 2 * t + r % 2;
        dx.put(place<D>(&s, nh, KEY, row) + at, dk[n][r]);
        dx.put(place<D>(&s, nh, V, row) + at, dv[n][r]);
      }
  }
}

/* ---- launches ---- */

template <int D>
struct launch {
  static constexpr int K = D > 64 ? 32 : 64; /* what registers hold */

  static void value(const struct few_call *c, const struct heads &s, int64_t blocks) {
    FEW_LAUNCH(c->queue, (value_kernel<D, K, false>), blocks, 32 * WARPS,
               (words(K, D) + words(D, K)) * sizeof(uint32_t), s, operand<float>(c, 0),
               operand<float>(c, 0), result<float>(c), result<float>(c));
  }
  static void dual(const struct few_call *c, const struct heads &s, int64_t blocks) {
    const struct to<float> y = result<float>(c), ty = y + count_of(c->shape) / 2;
    FEW_LAUNCH(c->queue, (value_kernel<D, K, true>), blocks, 32 * WARPS,
               2 * (words(K, D) + words(D, K)) * sizeof(uint32_t), s, operand<float>(c, 0),
               operand<float>(c, 1), y, ty);
  }
  static void grad(const struct few_call *c, const struct heads &s, int64_t blocks) {
    const struct from<float> x = operand<float>(c, 0), dy = operand<float>(c, 1);
    const struct to<float> dx = result<float>(c);
    float *keep = (float *)c->scratch;
    FEW_LAUNCH(c->queue, (query_kernel<D, K>), blocks, 32 * WARPS,
               (2 * words(K, D) + words(D, K)) * sizeof(uint32_t), s, x, dy, dx, keep);
    FEW_LAUNCH(c->queue, (key_kernel<D, K>), blocks, 32 * WARPS,
               2 * (words(K, D) + words(D, K)) * sizeof(uint32_t), s, x, dy, dx,
               (const float *)keep);
  }
};

struct heads heads_of(const struct few_call *c, int64_t *blocks) {
  const struct few_shape x = c->in[0].shape;
  *blocks = x.dim[0] * x.dim[3] * ((x.dim[1] + ROWS - 1) / ROWS);
  return {x.dim[1], (int)x.dim[3], (float)c->node->attr.f[0]};
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
