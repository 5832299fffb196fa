/* conv_thin_in.c - convolution from few channels, stride 1: the first layer of a network.
 *
 * A row of y is a product [ow x taps][taps x co] with taps = kh kw ci. taps is small for a matrix
 * product, so copying must be cheap. An image is split into planes, one per channel, with padding
 * around each. Then column (a,b,i) of the left matrix for row p of y is ow contiguous floats of
 * plane i, in row p + a from column b on. So im2col, transposed, is `taps` copies of ow floats, and
 * a tile reads the result as columns (gemm.h).
 */
#include "conv.h"

struct thin_in {
  const struct few_conv *v;
  int64_t taps, panels;
  int64_t ph, pw; /* size of a plane */
  int64_t pitch;  /* floats between columns */
  float *planes, *columns, *weights;
};

static struct thin_in plan(const struct few_conv *v) {
  struct thin_in s = {.v = v, .taps = v->kh * v->kw * v->ci, .panels = (v->co - 1) / GEMM_N + 1};
  s.ph = v->oh + v->kh - 1;
  s.pitch = round_up(v->ow, VF_W);
  s.pw = s.pitch + v->kw - 1; /* not ow + kw - 1, since whole vectors are copied */
  s.columns = v->scratch;
  s.weights = s.columns + s.taps * s.pitch;
  s.planes = s.weights + s.panels * s.taps * GEMM_N;
  return s;
}

int64_t FEW_ISA(few__conv_thin_in_scratch)(const struct few_conv *v) {
  const struct thin_in s = plan(v);
  return s.taps * s.pitch + s.panels * s.taps * GEMM_N + v->ci * s.ph * s.pw;
}

static void pack_weights(const struct thin_in *s) {
  const int64_t co = s->v->co;
  float *to = s->weights;
  for (int64_t o = 0; o < s->panels * GEMM_N; o += GEMM_N)
    for (int64_t k = 0; k < s->taps; k++, to += GEMM_N)
      for (int64_t c = 0; c < GEMM_N; c++) to[c] = o + c < co ? s->v->weights[k * co + o + c] : 0;
}

/* Splits image n into planes. The padding is zero already. */
static void split(const struct thin_in *s, int64_t n) {
  const struct few_conv *v = s->v;
  for (int64_t r = 0; r < v->h; r++) {
    const int64_t row = r + v->pad_h;
    if (row < 0 || row >= s->ph) continue;
    const float *x = v->x + (n * v->h + r) * v->w * v->ci;
    for (int64_t i = 0; i < v->ci; i++) {
      float *to = s->planes + (i * s->ph + row) * s->pw;
      for (int64_t c = 0; c < v->w; c++) {
        const int64_t col = c + v->pad_w;
        if (col >= 0 && col < s->pw) to[col] = x[c * v->ci + i];
      }
    }
  }
}

static void one_row(const struct thin_in *s, float *y, int64_t p) {
  const struct few_conv *v = s->v;
  float *to = s->columns;
  for (int64_t a = 0; a < v->kh; a++)
    for (int64_t b = 0; b < v->kw; b++)
      for (int64_t i = 0; i < v->ci; i++, to += s->pitch)
        for (int64_t q = 0; q < s->pitch; q += VF_W)
          vf_store(to + q, vf_load(s->planes + (i * s->ph + p + a) * s->pw + b + q));
  struct few_tile t = {.as = s->pitch, .bs = GEMM_N, .cs = v->co, .k = s->taps};
  for (int64_t o = 0; o < v->co; o += GEMM_N) {
    t.b = s->weights + o * s->taps;
    t.n = (int)min_of(GEMM_N, v->co - o);
    for (int64_t q = 0; q < v->ow; q += t.m) {
      t.m = tile_rows(v->ow - q);
      t.a = s->columns + q;
      t.c = y + q * v->co + o;
      FEW_ISA(few__tile_columns)(&t);
    }
  }
}

void FEW_ISA(few__conv_thin_in)(const struct few_conv *v) {
  const struct thin_in s = plan(v);
  assert(v->stride == 1);
  pack_weights(&s);
  memset(s.planes, 0, (size_t)(v->ci * s.ph * s.pw) * sizeof *s.planes);
  for (int64_t n = 0; n < v->n; n++) {
    split(&s, n);
    for (int64_t p = 0; p < v->oh; p++) one_row(&s, v->out + (n * v->oh + p) * v->ow * v->co, p);
  }
}
