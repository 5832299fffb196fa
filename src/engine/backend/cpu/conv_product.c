/* conv_product.c - convolution as matrix products, for layers without a faster algorithm.
 *
 * A row of im2col holds the kh kw ci inputs of one output pixel. Blocks R of such rows, small
 * enough for the second-level cache, are written to scratch and multiplied:
 *
 *     y  = R w                 [pixels x taps][taps x co]
 *     R' = dy w^T,  dx += R'   scattered back to the pixels of the rows
 *     dw = sum R^T dy          or, if co is small, its transpose dy^T R
 */
#include "conv.h"

enum { BLOCK_FLOATS = 96 * 1024, LEAST_ROWS = 8 * GEMM_M, MOST_ROWS = 1024, SWAP_CO = 8 };

struct rows {
  const struct few_conv *v;
  int64_t taps, block, pixels;
  float *rows;       /* scratch [block x taps] */
  float *transposed; /* scratch [co x taps], for dw^T */
  float *product;    /* scratch of few__gemm */
};

static struct rows plan(const struct few_conv *v) {
  struct rows s = {.v = v, .taps = v->kh * v->kw * v->ci, .pixels = v->n * v->oh * v->ow};
  const int64_t fit = BLOCK_FLOATS / s.taps;
  s.block = fit < LEAST_ROWS ? LEAST_ROWS : min_of(fit, MOST_ROWS);
  s.block = min_of(s.block, s.pixels);
  s.rows = v->scratch;
  s.transposed = s.rows + round_up(s.block * s.taps, 16);
  s.product = s.transposed + (v->co <= SWAP_CO ? round_up(v->co * s.taps, 16) : 0);
  return s;
}

/* The products for y, dx and dw. One scratch serves all three, so it has the largest size. */
static struct few_gemm product_y(const struct rows *s) {
  return (struct few_gemm){.m = s->block,
                           .n = s->v->co,
                           .k = s->taps,
                           .lda = s->taps,
                           .ldb = s->v->co,
                           .ldc = s->v->co,
                           .scratch = s->product};
}
static struct few_gemm product_dx(const struct rows *s) {
  return (struct few_gemm){.m = s->block,
                           .n = s->taps,
                           .k = s->v->co,
                           .tb = true,
                           .lda = s->v->co,
                           .ldb = s->v->co,
                           .ldc = s->taps,
                           .scratch = s->product};
}
static struct few_gemm product_dw(const struct rows *s) {
  const bool swap = s->v->co <= SWAP_CO;
  const int64_t taps = s->taps, co = s->v->co;
  return (struct few_gemm){.m = swap ? co : taps,
                           .n = swap ? taps : co,
                           .k = s->block,
                           .ta = true,
                           .lda = swap ? co : taps,
                           .ldb = swap ? taps : co,
                           .ldc = swap ? taps : co,
                           .scratch = s->product};
}

int64_t FEW_ISA(few__conv_product_scratch)(const struct few_conv *v) {
  const struct rows s = plan(v);
  const struct few_gemm p[3] = {product_y(&s), product_dx(&s), product_dw(&s)};
  int64_t most = 0;
  for (int i = 0; i < 3; i++) {
    const int64_t n = FEW_ISA(few__gemm_scratch)(&p[i]);
    most = n > most ? n : most;
  }
  return round_up(s.block * s.taps, 16) + round_up(v->co * s.taps, 16) + most;
}

/* An output pixel: image, row, column. Pixels are numbered consecutively over all images. */
struct pixel {
  int64_t n, p, q;
};
static struct pixel pixel_at(const struct few_conv *v, int64_t at) {
  return (struct pixel){at / v->ow / v->oh, at / v->ow % v->oh, at % v->ow};
}
static void next_pixel(const struct few_conv *v, struct pixel *y) {
  if (++y->q < v->ow) return;
  y->q = 0;
  if (++y->p < v->oh) return;
  y->p = 0;
  y->n++;
}

/* The part of x that kernel row a reads for an output pixel. Kernel columns begin .. end - 1 lie
 * inside x; none if begin == end. Column b reads the ci floats from x[offset + b ci] on. */
struct reach {
  int64_t begin, end, offset;
};
static inline struct reach reach(const struct few_conv *v, struct pixel y, int64_t a) {
  const int64_t row = y.p * v->stride + a - v->pad_h, col = y.q * v->stride - v->pad_w;
  struct reach r = {min_of(v->kw, col < 0 ? -col : 0), min_of(v->kw, v->w - col),
                    ((y.n * v->h + row) * v->w + col) * v->ci};
  if (row < 0 || row >= v->h || r.end < r.begin) r.end = r.begin;
  return r;
}

VF_INLINE void copy(float *to, const float *from, int64_t n) {
  for (; n >= VF_W; n -= VF_W, to += VF_W, from += VF_W) vf_store(to, vf_load(from));
  if (n > 0) vf_store_n(to, vf_load_n(from, n), n);
}

static void clear(float *to, int64_t n) {
  for (; n >= VF_W; n -= VF_W, to += VF_W) vf_store(to, (vf){0});
  if (n > 0) vf_store_n(to, (vf){0}, n);
}

/* Writes R for the output pixels first .. first + count - 1. */
static void gather(const struct rows *s, int64_t first, int64_t count) {
  const struct few_conv *v = s->v;
  const int64_t ci = v->ci;
  struct pixel y = pixel_at(v, first);
  for (float *to = s->rows; count > 0; count--, next_pixel(v, &y))
    for (int64_t a = 0; a < v->kh; a++, to += v->kw * ci) {
      const struct reach r = reach(v, y, a);
      clear(to, r.begin * ci);
      if (r.end > r.begin)
        copy(to + r.begin * ci, v->x + r.offset + r.begin * ci, (r.end - r.begin) * ci);
      clear(to + r.end * ci, (v->kw - r.end) * ci);
    }
}

/* dx += R' for the output pixels first .. first + count - 1. */
static void scatter(const struct rows *s, int64_t first, int64_t count) {
  const struct few_conv *v = s->v;
  struct pixel y = pixel_at(v, first);
  for (const float *from = s->rows; count > 0; count--, next_pixel(v, &y))
    for (int64_t a = 0; a < v->kh; a++, from += v->kw * v->ci) {
      const struct reach r = reach(v, y, a);
      for (int64_t i = r.begin * v->ci; i < r.end * v->ci; i++) v->out[r.offset + i] += from[i];
    }
}

void FEW_ISA(few__conv_product)(const struct few_conv *v) {
  struct rows s = plan(v);
  struct few_gemm p = product_y(&s);
  const bool as_is = v->kh * v->kw == 1 && v->stride == 1 && v->pad_h == 0 && v->pad_w == 0;
  p.b = v->weights;
  for (int64_t first = 0; first < s.pixels; first += s.block) {
    p.m = min_of(s.block, s.pixels - first);
    p.a = as_is ? v->x + first * v->ci : s.rows;
    p.c = v->out + first * v->co;
    if (!as_is) gather(&s, first, p.m);
    FEW_ISA(few__gemm)(&p);
  }
}

void FEW_ISA(few__conv_product_dx)(const struct few_conv *v) {
  struct rows s = plan(v);
  struct few_gemm p = product_dx(&s);
  p.b = v->weights;
  p.c = s.rows;
  clear(v->out, v->n * v->h * v->w * v->ci);
  for (int64_t first = 0; first < s.pixels; first += s.block) {
    p.m = min_of(s.block, s.pixels - first);
    p.a = v->y + first * v->co;
    FEW_ISA(few__gemm)(&p);
    scatter(&s, first, p.m);
  }
}

void FEW_ISA(few__conv_product_dw)(const struct few_conv *v) {
  struct rows s = plan(v);
  struct few_gemm p = product_dw(&s);
  const bool swap = v->co <= SWAP_CO;
  p.c = swap ? s.transposed : v->out;
  for (int64_t first = 0; first < s.pixels; first += s.block) {
    p.k = min_of(s.block, s.pixels - first);
    p.a = swap ? v->y + first * v->co : s.rows;
    p.b = swap ? s.rows : v->y + first * v->co;
    p.add = first > 0;
    gather(&s, first, p.k);
    FEW_ISA(few__gemm)(&p);
  }
  for (int64_t i = 0; swap && i < s.taps; i++)
    for (int64_t o = 0; o < v->co; o++) v->out[i * v->co + o] = s.transposed[o * s.taps + i];
}
