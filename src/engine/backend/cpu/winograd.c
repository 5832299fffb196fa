/* winograd.c - 3x3 convolution, stride 1, padding 1, and its transpose with respect to x
 * (winograd.h).
 *
 * Tiles are taken in blocks whose transformed patches V stay in the second-level cache. For each
 * panel of GEMM_N output channels and each frequency, the panel's weights (first-level cache) are
 * multiplied with all tiles of the block. Then the panel is transformed back and written. So V is
 * read once per panel, weights once per block, and the products never leave the cache.
 *
 *     U  [panel][frequency][Ci][GEMM_N]               weights, transformed at the start of a call
 *     V  [frequency][strip of GEMM_M tiles], each an A of gemm.h in its layout Chunks
 *     M  [frequency][tile][GEMM_N]
 *
 * The transpose with respect to x is the convolution of dy with w rotated by 180 degrees and Ci, Co
 * exchanged. All tiles are computed in the same way, so the result of an image does not depend on
 * other images.
 */
#include "winograd.h"

#include "conv.h"

enum { MOST_STRIPS = 4 };

/* Floats of V in a block: five sixteenths of the second-level cache. The rest of the cache is for
 * the weights, which for 128 x 128 channels have 2.4 MB and come from the next cache once per
 * block. */
static int64_t v_floats(void) { return few__cpu_cache() / 64 * 5; }

struct wino {
  struct wino_grid grid;
  int64_t ci, co, cp; /* cp: ci rounded up to whole vectors */
  int64_t block;      /* tiles */
  int64_t v_freq, m_freq, u_freq, u_panel;
  const float *x;
  float *y, *U, *V, *M, *zeros;
};

static struct wino plan(const struct few_conv *v) {
  struct wino s = {.grid = wino_grid(v->n, v->h, v->w), .ci = v->ci, .co = v->co};
  s.cp = round_up(v->ci, VF_W);
  int64_t most = v_floats() / (FREQ * s.cp) / GEMM_M;
  most = GEMM_M * (most < 1 ? 1 : most > MOST_STRIPS ? MOST_STRIPS : most);
  const int64_t blocks = (s.grid.tiles + most - 1) / most;
  s.block = blocks ? (s.grid.tiles + blocks - 1) / blocks : 0;
  s.v_freq = wino_spread(round_up(s.block, GEMM_M) * s.cp);
  s.m_freq = wino_spread(s.block * GEMM_N);
  s.u_freq = wino_spread(s.ci * GEMM_N);
  s.u_panel = FREQ * s.u_freq;
  return s;
}

int64_t FEW_ISA(few__winograd_scratch)(const struct few_conv *v) {
  const struct wino s = plan(v);
  return s.cp + FREQ * (s.v_freq + s.m_freq) + round_up(s.co, GEMM_N) / GEMM_N * s.u_panel + 16;
}

/* ---- Weights ---- */

/* t = G g, three elements to six. */
VF_INLINE void weights3(vf g0, vf g1, vf g2, vf t[6]) {
  const vf even_a = g0 + WINO_P * g2, odd_a = WINO_A * g1;
  const vf even_b = g0 + WINO_Q * g2, odd_b = WINO_B * g1;
  t[0] = g0 * (1 / WINO_N0);
  t[1] = (even_a + odd_a) * (1 / WINO_NA);
  t[2] = (even_a - odd_a) * (1 / WINO_NA);
  t[3] = (even_b + odd_b) * (1 / WINO_NB);
  t[4] = (even_b - odd_b) * (1 / WINO_NB);
  t[5] = g2;
}

/* Writes G g G^T for a vector of filters, as 36 frequencies `freq` floats apart. */
VF_INLINE void weights_tile(const vf g[9], float *to, int64_t freq) {
  vf t[6][3];
  VF_UNROLL(3)
  for (int j = 0; j < 3; j++) {
    vf col[6];
    weights3(g[j], g[3 + j], g[6 + j], col);
    VF_UNROLL(6)
    for (int i = 0; i < 6; i++) t[i][j] = col[i];
  }
  VF_UNROLL(6)
  for (int i = 0; i < 6; i++) {
    vf row[6];
    weights3(t[i][0], t[i][1], t[i][2], row);
    VF_UNROLL(6)
    for (int j = 0; j < 6; j++) vf_store(to + (i * 6 + j) * freq, row[j]);
  }
}

/* U from w [3,3,Ci,Co]. Columns beyond co are zero. */
static void weights(const struct wino *s, const float *w) {
  for (int64_t o = 0; o < round_up(s->co, GEMM_N); o += VF_W) {
    float *to = s->U + o / GEMM_N * s->u_panel + o % GEMM_N;
    for (int64_t i = 0; i < s->ci; i++) {
      vf g[9];
      VF_UNROLL(9)
      for (int k = 0; k < 9; k++) g[k] = wino_load(w + (k * s->ci + i) * s->co + o, s->co - o);
      weights_tile(g, to + i * GEMM_N, s->u_freq);
    }
  }
}

/* U from w [3,3,Co,Ci], rotated by 180 degrees. Blocks of VF_W x VF_W weights are transposed. */
static void weights_turned(const struct wino *s, const float *w) {
  vf g[9][VF_W];
  for (int64_t o = 0; o < round_up(s->co, GEMM_N); o += VF_W) {
    float *to = s->U + o / GEMM_N * s->u_panel + o % GEMM_N;
    for (int64_t i = 0; i < s->ci; i += VF_W) {
      for (int k = 0; k < 9; k++) {
        for (int64_t r = 0; r < VF_W; r++)
          g[k][r] = o + r < s->co ? wino_load(w + ((8 - k) * s->co + o + r) * s->ci + i, s->ci - i)
                                  : (vf){0};
        vf_transpose(g[k]);
      }
      for (int64_t r = 0; r < VF_W && i + r < s->ci; r++) {
        vf one[9];
        VF_UNROLL(9)
        for (int k = 0; k < 9; k++) one[k] = g[k][r];
        weights_tile(one, to + (i + r) * GEMM_N, s->u_freq);
      }
    }
  }
}

/* ---- A block of tiles ---- */

static void transform_in(const struct wino *s, int64_t first, int64_t tiles) {
  float *strip = s->V;
  for (int64_t t = 0; t < tiles; strip += GEMM_M * s->cp) {
    const int rows = tile_rows(tiles - t);
    for (int r = 0; r < rows; r++, t++) {
      const float *pixel[FREQ];
      struct wino_place at = wino_place(&s->grid, first + t);
      at.row--;
      at.col--;
      wino_pixels(&s->grid, s->x, s->ci, 6, at, s->zeros, pixel);
      wino_input_tile(pixel, s->ci, strip + r * VF_W, s->v_freq, GEMM_M * VF_W);
    }
  }
}

static void multiply(const struct wino *s, int64_t panel, int64_t tiles) {
  struct few_tile t = {.b = s->U + panel * s->u_panel, .bs = GEMM_N, .cs = GEMM_N, .k = s->ci};
  t.n = (int)min_of(GEMM_N, round_up(s->co - panel * GEMM_N, VF_W));
  for (int f = 0; f < FREQ; f++, t.b += s->u_freq) {
    t.a = s->V + f * s->v_freq;
    for (int64_t row = 0; row < tiles; row += t.m, t.a += GEMM_M * s->cp) {
      t.m = tile_rows(tiles - row);
      t.c = s->M + f * s->m_freq + row * GEMM_N;
      FEW_ISA(few__tile_chunks)(&t);
    }
  }
}

/* y = A^T m, six elements to four. */
VF_INLINE void output4(const vf m[6], vf y[4]) {
  const vf sa = m[1] + m[2], da = m[1] - m[2], sb = m[3] + m[4], db = m[3] - m[4];
  y[0] = m[0] + sa + sb;
  y[1] = vf_fma(vf_set(WINO_A), da, WINO_B * db);
  y[2] = vf_fma(vf_set(WINO_P), sa, WINO_Q * sb);
  y[3] = vf_fma(vf_set(WINO_A * WINO_P), da, vf_fma(vf_set(WINO_B * WINO_Q), db, m[5]));
}

/* Transforms one vector of channels of a tile back to 4 x 4 pixels, of which rows x cols are inside
 * the image. To fuse a bias, a residual or a norm's statistics, add it before the stores; this is
 * not done yet. */
VF_INLINE void output_tile(const float *m, int64_t freq, float *y, int64_t row_step,
                           int64_t pixel_step, int64_t rows, int64_t cols, int64_t n) {
  vf t[4][6];
  VF_UNROLL(6)
  for (int j = 0; j < 6; j++) {
    vf d[6], col[4];
    VF_UNROLL(6)
    for (int i = 0; i < 6; i++) d[i] = vf_load(m + (i * 6 + j) * freq);
    output4(d, col);
    VF_UNROLL(4)
    for (int i = 0; i < 4; i++) t[i][j] = col[i];
  }
  VF_UNROLL(4)
  for (int i = 0; i < 4; i++) {
    vf row[4];
    if (i >= rows) return;
    output4(t[i], row);
    VF_UNROLL(4)
    for (int j = 0; j < 4; j++) {
      if (j >= cols) break;
      if (n >= VF_W)
        vf_store(y + i * row_step + j * pixel_step, row[j]);
      else
        vf_store_n(y + i * row_step + j * pixel_step, row[j], n);
    }
  }
}

static void transform_out(const struct wino *s, int64_t panel, int64_t first, int64_t tiles) {
  const int64_t o = panel * GEMM_N;
  for (int64_t t = 0; t < tiles; t++) {
    const struct wino_place at = wino_place(&s->grid, first + t);
    float *y = s->y + ((at.n * s->grid.h + at.row) * s->grid.w + at.col) * s->co + o;
    for (int64_t c = 0; c < GEMM_N && o + c < s->co; c += VF_W)
      output_tile(s->M + t * GEMM_N + c, s->m_freq, y + c, s->grid.w * s->co, s->co,
                  s->grid.h - at.row, s->grid.w - at.col, s->co - o - c);
  }
}

void FEW_ISA(few__winograd)(const struct few_conv *v) {
  struct wino s = plan(v);
  s.x = v->x;
  s.y = v->out;
  s.V = v->scratch;
  s.M = s.V + FREQ * s.v_freq;
  s.U = s.M + FREQ * s.m_freq;
  s.zeros = s.U + round_up(s.co, GEMM_N) / GEMM_N * s.u_panel;
  memset(s.zeros, 0, (size_t)s.cp * sizeof *s.zeros);
  if (v->turned)
    weights_turned(&s, v->weights);
  else
    weights(&s, v->weights);
  for (int64_t first = 0; first < s.grid.tiles; first += s.block) {
    const int64_t tiles = min_of(s.block, s.grid.tiles - first);
    transform_in(&s, first, tiles);
    for (int64_t panel = 0; panel * GEMM_N < s.co; panel++) {
      multiply(&s, panel, tiles);
      transform_out(&s, panel, first, tiles);
    }
  }
}
