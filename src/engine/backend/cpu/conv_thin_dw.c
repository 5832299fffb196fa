/* conv_thin_dw.c - gradient of the weights, stride 1, if x or dy has few channels.
 *
 * For one row of x and one row of dy, the sum over positions q is a matrix product whose left
 * matrix needs no im2col. With x padded by zeros, x[(q + b) ci + i] for all (b,i) is a window of kw
 * ci floats that moves by ci from one position to the next. A tile reads it as columns (gemm.h)
 * that overlap: their distance is less than their length. If dy has few channels, dy is padded
 * instead. For a position j of x,
 *
 *     dw[a,b,c,o] += x[j,c] dy[j - b + pad, o]
 *
 * is the same product with b descending. So
 *
 *     x thin:   dw[a, (b,i), o]       += window(x)[q, (b,i)]  dy[q, o]
 *     dy thin:  S[a, (kw-1-b, o), c]  += window(dy)[j, (kw-1-b, o)]  x[j, c],  then dw from S.
 */
#include "conv.h"

struct thin_dw {
  const struct few_conv *v;
  bool x_thin;
  int64_t m;      /* floats of the window */
  int64_t wide;   /* channels of the operand that is not thin */
  int64_t length; /* positions in a row */
  int64_t pitch;  /* wide, rounded up to whole vectors */
  float *window, *row, *sums;
};

static struct thin_dw plan(const struct few_conv *v) {
  struct thin_dw s = {.v = v, .x_thin = v->ci <= CONV_THIN};
  const int64_t thin = s.x_thin ? v->ci : v->co;
  s.wide = s.x_thin ? v->co : v->ci;
  s.length = s.x_thin ? v->ow : v->w;
  s.m = v->kw * thin;
  s.pitch = round_up(s.wide, VF_W);
  s.window = v->scratch;
  s.row = s.window + round_up((s.length + v->kw - 1) * thin, 16);
  s.sums = s.row + s.length * s.pitch;
  return s;
}

int64_t FEW_ISA(few__conv_thin_dw_scratch)(const struct few_conv *v) {
  const struct thin_dw s = plan(v);
  return (s.sums - s.window) + v->kh * s.m * s.wide;
}

/* Writes `count` pixels, beginning `lead` pixels before the row. Pixels outside the row's `size`
 * are zero. */
static void pad_row(float *to, const float *row, int64_t count, int64_t lead, int64_t size,
                    int64_t channels) {
  for (int64_t t = 0; t < count; t++)
    for (int64_t i = 0; i < channels; i++) {
      const int64_t at = t - lead;
      *to++ = at >= 0 && at < size ? row[at * channels + i] : 0;
    }
}

/* The wide row, padded to whole vectors if necessary, since a tile may read past its channels. */
static const float *wide_row(const struct thin_dw *s, const float *row) {
  if (s->pitch == s->wide) return row;
  for (int64_t j = 0; j < s->length; j++)
    for (int64_t c = 0; c < s->pitch; c++)
      s->row[j * s->pitch + c] = c < s->wide ? row[j * s->wide + c] : 0;
  return s->row;
}

/* sums [m x wide] += window^T row */
static void add_rows(const struct thin_dw *s, const float *row, float *sums) {
  struct few_tile t = {.as = s->m / s->v->kw, .bs = s->pitch, .cs = s->wide, .k = s->length};
  t.add = true;
  for (int64_t c = 0; c < s->wide; c += GEMM_N) {
    t.b = row + c;
    t.n = (int)min_of(GEMM_N, s->wide - c);
    for (int64_t i = 0; i < s->m; i += t.m) {
      t.m = tile_rows(s->m - i);
      t.a = s->window + i;
      t.c = sums + i * s->wide + c;
      FEW_ISA(few__tile_columns)(&t);
    }
  }
}

static void add_image(const struct thin_dw *s, int64_t n) {
  const struct few_conv *v = s->v;
  for (int64_t p = 0; p < v->oh; p++) {
    const float *y = v->y + (n * v->oh + p) * v->ow * v->co, *wide = NULL;
    if (s->x_thin)
      wide = wide_row(s, y);
    else
      pad_row(s->window, y, v->w + v->kw - 1, v->kw - 1 - v->pad_w, v->ow, v->co);
    for (int64_t a = 0; a < v->kh; a++) {
      const int64_t r = p + a - v->pad_h;
      if (r < 0 || r >= v->h) continue;
      const float *x = v->x + (n * v->h + r) * v->w * v->ci;
      if (s->x_thin)
        pad_row(s->window, x, v->ow + v->kw - 1, v->pad_w, v->w, v->ci);
      else
        wide = wide_row(s, x);
      add_rows(s, wide, (s->x_thin ? v->out : s->sums) + a * s->m * s->wide);
    }
  }
}

void FEW_ISA(few__conv_thin_dw)(const struct few_conv *v) {
  const struct thin_dw s = plan(v);
  assert(v->stride == 1);
  const int64_t all = v->kh * s.m * s.wide;
  memset(s.x_thin ? v->out : s.sums, 0, (size_t)all * sizeof(float));
  for (int64_t n = 0; n < v->n; n++) add_image(&s, n);
  if (s.x_thin) return;
  for (int64_t a = 0; a < v->kh; a++)
    for (int64_t b = 0; b < v->kw; b++)
      for (int64_t c = 0; c < v->ci; c++)
        for (int64_t o = 0; o < v->co; o++)
          v->out[((a * v->kw + b) * v->ci + c) * v->co + o] =
              s.sums[(a * s.m + (v->kw - 1 - b) * v->co + o) * s.wide + c];
}
