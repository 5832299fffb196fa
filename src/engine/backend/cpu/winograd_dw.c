/* winograd_dw.c - gradient of the 3x3 convolution with respect to its weights (winograd.h).
 *
 * A tile adds to dw[u,v] the sum over its pixels of x[i+u, j+v] dy[i,j]. This is a correlation of
 * the 6 x 6 patch of x with a 4 x 4 "filter", the tile of dy. F(3x3, 4x4) has the same six points,
 * so
 *
 *     dw = A3^T [ sum over tiles of (B^T d B)^T (G4 dy G4^T) ] A3
 *
 * and the sum over tiles is, for each frequency, a product [Ci x tiles][tiles x Co]. G4's divisors
 * N_p are applied once, to the sum. Tiles are processed in blocks: x and dy of a block are
 * transformed, then 36 products are added to the accumulators. Large blocks pass over the
 * accumulators less often; small blocks stay in the cache.
 *
 *     V  [frequency][tile][Ci]      D  [frequency][panel][tile][GEMM_N]
 *     S  [frequency][panel][Ci][GEMM_N], the accumulators
 */
#include "conv.h"
#include "winograd.h"

/* V and D together have at most BLOCK_FLOATS floats, most of a megabyte of cache. For more than 64
 * channels the accumulators are larger than that cache anyway. Then larger blocks are faster,
 * because they pass over the accumulators less often. */
enum { BLOCK_FLOATS = 240 * 1024, LEAST_TILES = 64, MOST_TILES = 128 };

struct wino_dw {
  struct wino_grid grid;
  int64_t ci, co, cp, panels; /* cp: ci, rounded up to whole vectors */
  int64_t block;              /* tiles */
  int64_t v_freq, d_freq, s_freq;
  const float *x, *dy;
  float *dw, *V, *D, *S, *zeros;
};

static struct wino_dw plan(const struct few_conv *v) {
  struct wino_dw s = {.grid = wino_grid(v->n, v->h, v->w), .ci = v->ci, .co = v->co};
  s.cp = round_up(v->ci, VF_W);
  s.panels = (v->co + GEMM_N - 1) / GEMM_N;
  int64_t most = BLOCK_FLOATS / (FREQ * (s.cp + s.panels * GEMM_N));
  most = most < LEAST_TILES ? LEAST_TILES : most > MOST_TILES ? MOST_TILES : most;
  const int64_t blocks = (s.grid.tiles + most - 1) / most;
  s.block = blocks ? (s.grid.tiles + blocks - 1) / blocks : 0;
  s.v_freq = wino_spread(s.block * s.cp);
  s.d_freq = wino_spread(s.panels * s.block * GEMM_N);
  s.s_freq = wino_spread(s.panels * s.ci * GEMM_N);
  return s;
}

int64_t FEW_ISA(few__winograd_dw_scratch)(const struct few_conv *v) {
  const struct wino_dw s = plan(v);
  return FREQ * (s.v_freq + s.d_freq + s.s_freq) + s.cp + round_up(s.co, VF_W);
}

/* G4 of four elements, without the divisors. */
VF_INLINE void gradient4(const vf g[4], vf t[6]) {
  const vf p = vf_set(WINO_P), q = vf_set(WINO_Q), a = vf_set(WINO_A), b = vf_set(WINO_B);
  const vf even_a = vf_fma(p, g[2], g[0]), odd_a = vf_fma(p, g[3], g[1]);
  const vf even_b = vf_fma(q, g[2], g[0]), odd_b = vf_fma(q, g[3], g[1]);
  t[0] = g[0];
  t[1] = vf_fma(a, odd_a, even_a);
  t[2] = vf_fma(-a, odd_a, even_a);
  t[3] = vf_fma(b, odd_b, even_b);
  t[4] = vf_fma(-b, odd_b, even_b);
  t[5] = g[3];
}

/* Transforms one vector of channels of a 4 x 4 tile of dy. The next tile, `next` floats further, is
 * prefetched. */
VF_INLINE void gradient_tile(const float *const pixel[16], int64_t c, int64_t n, int64_t next,
                             float *to, int64_t freq) {
  vf t[6][4];
  VF_UNROLL(4)
  for (int j = 0; j < 4; j++) {
    vf d[4], col[6];
    VF_UNROLL(4)
    for (int i = 0; i < 4; i++) {
      d[i] = wino_load(pixel[i * 4 + j] + c, n);
      __builtin_prefetch(pixel[i * 4 + j] + c + next);
    }
    gradient4(d, col);
    VF_UNROLL(6)
    for (int i = 0; i < 6; i++) t[i][j] = col[i];
  }
  VF_UNROLL(6)
  for (int i = 0; i < 6; i++) {
    vf row[6];
    gradient4(t[i], row);
    VF_UNROLL(6)
    for (int j = 0; j < 6; j++) vf_store(to + (i * 6 + j) * freq, row[j]);
  }
}

static void transform_in(const struct wino_dw *s, int64_t first, int64_t tiles) {
  for (int64_t t = 0; t < tiles; t++) {
    const float *pixel[FREQ];
    struct wino_place at = wino_place(&s->grid, first + t);
    wino_pixels(&s->grid, s->dy, s->co, 4, at, s->zeros, pixel);
    for (int64_t o = 0; o < s->panels * GEMM_N; o += VF_W)
      gradient_tile(pixel, min_of(o, s->co), s->co - o, 4 * s->co,
                    s->D + (o / GEMM_N * s->block + t) * GEMM_N + o % GEMM_N, s->d_freq);
    at.row--;
    at.col--;
    wino_pixels(&s->grid, s->x, s->ci, 6, at, s->zeros, pixel);
    wino_input_tile(pixel, s->ci, s->V + t * s->cp, s->v_freq, VF_W);
  }
}

static void multiply(const struct wino_dw *s, int64_t tiles, bool add) {
  struct few_tile t = {.as = s->cp, .bs = GEMM_N, .cs = GEMM_N, .k = tiles, .add = add};
  for (int f = 0; f < FREQ; f++)
    for (int64_t panel = 0; panel < s->panels; panel++) {
      t.b = s->D + f * s->d_freq + panel * s->block * GEMM_N;
      t.n = (int)min_of(GEMM_N, round_up(s->co - panel * GEMM_N, VF_W));
      for (int64_t i = 0; i < s->ci; i += t.m) {
        t.m = tile_rows(s->ci - i);
        t.a = s->V + f * s->v_freq + i;
        t.c = s->S + f * s->s_freq + (panel * s->ci + i) * GEMM_N;
        FEW_ISA(few__tile_columns)(&t);
      }
    }
}

/* A3^T of six sums, with the divisors. */
VF_INLINE void weights3(const vf m[6], vf w[3]) {
  const vf sa = (m[1] + m[2]) * (1 / WINO_NA), da = (m[1] - m[2]) * (WINO_A / WINO_NA);
  const vf sb = (m[3] + m[4]) * (1 / WINO_NB), db = (m[3] - m[4]) * (WINO_B / WINO_NB);
  w[0] = vf_fma(vf_set(1 / WINO_N0), m[0], sa + sb);
  w[1] = da + db;
  w[2] = vf_fma(vf_set(WINO_P), sa, vf_fma(vf_set(WINO_Q), sb, m[5]));
}

/* Transforms the sums of one vector of filters to their 3 x 3 taps, `tap` floats apart. */
VF_INLINE void weights_tile(const float *m, int64_t freq, float *to, int64_t tap, int64_t n) {
  vf t[3][6];
  VF_UNROLL(6)
  for (int j = 0; j < 6; j++) {
    vf d[6], col[3];
    VF_UNROLL(6)
    for (int i = 0; i < 6; i++) d[i] = vf_load(m + (i * 6 + j) * freq);
    weights3(d, col);
    VF_UNROLL(3)
    for (int i = 0; i < 3; i++) t[i][j] = col[i];
  }
  VF_UNROLL(3)
  for (int i = 0; i < 3; i++) {
    vf row[3];
    weights3(t[i], row);
    VF_UNROLL(3)
    for (int j = 0; j < 3; j++) {
      if (n >= VF_W)
        vf_store(to + (i * 3 + j) * tap, row[j]);
      else
        vf_store_n(to + (i * 3 + j) * tap, row[j], n);
    }
  }
}

static void transform_out(const struct wino_dw *s) {
  for (int64_t o = 0; o < s->co; o += VF_W) {
    const float *from = s->S + o / GEMM_N * s->ci * GEMM_N + o % GEMM_N;
    for (int64_t i = 0; i < s->ci; i++)
      weights_tile(from + i * GEMM_N, s->s_freq, s->dw + i * s->co + o, s->ci * s->co, s->co - o);
  }
}

void FEW_ISA(few__winograd_dw)(const struct few_conv *v) {
  struct wino_dw s = plan(v);
  s.x = v->x;
  s.dy = v->y;
  s.dw = v->out;
  s.V = v->scratch;
  s.D = s.V + FREQ * s.v_freq;
  s.S = s.D + FREQ * s.d_freq;
  s.zeros = s.S + FREQ * s.s_freq;
  memset(s.zeros, 0, (size_t)(s.cp + round_up(s.co, VF_W)) * sizeof *s.zeros);
  for (int64_t first = 0; first < s.grid.tiles; first += s.block) {
    const int64_t tiles = min_of(s.block, s.grid.tiles - first);
    transform_in(&s, first, tiles);
    multiply(&s, tiles, first > 0);
  }
  transform_out(&s);
}
