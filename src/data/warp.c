/* warp.c - see warp.h.
 *
 * The affine map is computed as in StyleGAN2-ADA (Karras et al., arXiv 2006.06676, appendix B) and
 * EDM: the image is enlarged by two, moved there by bilinear interpolation, and reduced by two. Both
 * changes of size use the orthogonal wavelet sym6, with taps h[0 .. 11]:
 *
 *   U[m]   = sqrt 2 sum_n h[m + 5 - 2n] x[n]       enlarged: x[n] is at m = 2n
 *   out[q] = sum_k h[k] M[2q - 5 + k] / sqrt 2     reduced
 *
 * where M[m] is U at the place from which point m/2 of the result comes. These formulas hold along
 * each axis. The translates of h by even numbers are orthonormal, so the identity, and moves by
 * whole pixels, give back x exactly.
 *
 * U is not stored. A value between U[m] and U[m + 1] is a sum of 7 pixels along each axis, with
 * weights that are interpolated between h's taps. Strips of columns are computed from top to bottom
 * with the last 12 rows of M, so no memory is needed.
 *
 * Beyond its borders the image is mirrored at the centres of its outermost pixels, without end. EDM
 * mirrors once, and has grey beyond.
 */
#include "warp.h"

#include <math.h>

enum { TAPS = FEW_WARP_TAPS, NEAR = 7, STRIP = 32, WIDE = 2 * STRIP + TAPS, C_MAX = 4 };

/* Daubechies, "Ten lectures on wavelets" (1992), table 6.3. */
const double few__warp_filter[FEW_WARP_TAPS] = {
    0.015404109327027373,  0.0034907120842174702, -0.11799011114819057,  -0.048311742585633,
    0.4910559419267466,    0.787641141030194,     0.3379294217276218,    -0.07263752278646252,
    -0.021060292512300564, 0.04472490177066578,   0.0017677118642428036, -0.007800708325034148};

/* The image after flips, turns and shifts: the byte (y, x) is at[y' along_y + x' along_x], where y'
 * and x' are shifted and mirrored at the borders. */
struct view {
  const uint8_t *at;
  int h, w, c;
  int64_t along_y, along_x, up, right;
};

static struct view see(const few_data *d, int64_t index, const struct few_warp *t) {
  const int64_t c = d->c, row = d->w * c;
  assert(index >= 0 && index < d->n && d->pixels && d->c <= C_MAX && t->turns >= 0 && t->turns < 4);
  struct view v = {
      d->pixels + index * few_data_item_size(d), d->h, d->w, d->c, row, c, t->up, t->right};
  const bool transposed = t->turns % 2;
  const bool flip_x = t->flip_x != (t->turns == 1 || t->turns == 2);
  const bool flip_y = t->flip_y != (t->turns == 2 || t->turns == 3);
  assert(!transposed || d->h == d->w);
  if (flip_x) {
    v.at += (d->w - 1) * c;
    v.along_x = -c;
  }
  if (flip_y) {
    v.at += (d->h - 1) * row;
    v.along_y = -row;
  }
  if (transposed) {
    const int64_t along = v.along_x;
    v.along_x = v.along_y;
    v.along_y = along;
  }
  return v;
}

static int64_t mirrored(int64_t i, int64_t n) {
  const int64_t period = 2 * n - 2;
  if (i >= 0 && i < n) return i;
  if (n == 1) return 0;
  i = i % period;
  if (i < 0) i += period;
  return i < n ? i : period - i;
}

static int64_t place_x(const struct view *v, int64_t x) {
  return mirrored(mirrored(x, v->w) - v->right, v->w) * v->along_x;
}

static int64_t place_y(const struct view *v, int64_t y) {
  return mirrored(mirrored(y, v->h) + v->up, v->h) * v->along_y;
}

/* The weights of pixels first .. first + NEAR - 1 in U at m, which may lie between two numbers. */
static int64_t near(double m, double weight[NEAR]) {
  const int64_t m0 = (int64_t)floor(m), first = (int64_t)floor(m / 2) - 3;
  const double f = m - (double)m0, sqrt_2 = 1.4142135623730951;
  for (int i = 0; i < NEAR; i++) {
    const int64_t k = m0 + 5 - 2 * (first + i);
    const double a = k >= 0 && k < TAPS ? few__warp_filter[k] : 0;
    const double b = k >= -1 && k < TAPS - 1 ? few__warp_filter[k + 1] : 0;
    weight[i] = sqrt_2 * ((1 - f) * a + f * b);
  }
  return first;
}

/* U at (y, x), in the units of the enlarged image. */
static void gather(const struct view *v, double y, double x, double *out) {
  double across[NEAR], down[NEAR];
  int64_t at_x[NEAR];
  const int64_t first_x = near(x, across), first_y = near(y, down);
  for (int i = 0; i < NEAR; i++) at_x[i] = place_x(v, first_x + i);
  for (int c = 0; c < v->c; c++) out[c] = 0;
  for (int j = 0; j < NEAR; j++) {
    const uint8_t *row = v->at + place_y(v, first_y + j);
    double sum[C_MAX] = {0};
    for (int i = 0; i < NEAR; i++)
      for (int c = 0; c < v->c; c++) sum[c] += across[i] * row[at_x[i] + c];
    for (int c = 0; c < v->c; c++) out[c] += down[j] * sum[c];
  }
}

/* sum_k h[k] at[k][c] / sqrt 2. Item k is at + (first + k) % cycle * stride. */
static double reduced(const double *at, int64_t first, int64_t cycle, int64_t stride) {
  double sum = 0;
  for (int k = 0; k < TAPS; k++) sum += few__warp_filter[k] * at[(first + k) % cycle * stride];
  return sum * 0.70710678118654752;
}

/* Row j of M, reduced to the pixels first .. first + n - 1. */
static void grid_row(const struct view *v, const struct few_warp *t, int64_t j, int64_t first,
                     int n, double *out) {
  double wide[WIDE * C_MAX] = {0};
  const double cx = (v->w - 1) / 2.0, cy = (v->h - 1) / 2.0;
  const double py = (double)j / 2 - cy;
  for (int i = 0; i < 2 * n + TAPS - 2; i++) {
    const double px = (double)(2 * first - 5 + i) / 2 - cx;
    const double x = t->turn[0][0] * px + t->turn[0][1] * py + t->move[0];
    const double y = t->turn[1][0] * px + t->turn[1][1] * py + t->move[1];
    gather(v, 2 * (y + cy), 2 * (x + cx), wide + i * v->c);
  }
  for (int q = 0; q < n; q++)
    for (int c = 0; c < v->c; c++) out[q * v->c + c] = reduced(wide + c, 2 * q, WIDE, v->c);
}

static float scaled(double v, const struct few_data_scale *s) {
  return (float)((v / 127.5 - 1 - s->mean) * s->scale);
}

static void warp_strip(const struct view *v, const struct few_warp *t, int64_t first, int n,
                       const struct few_data_scale *scale, int step, float *out) {
  double last[TAPS][STRIP * C_MAX] = {{0}}; /* row j of M in j + 5 mod TAPS */
  for (int64_t j = -5; j <= 2 * v->h + 4; j++) {
    grid_row(v, t, j, first, n, last[(j + 5) % TAPS]);
    if (j < 6 || j % 2) continue;
    float *row = out + ((j / 2 - 3) * v->w + first) * v->c;
    for (int i = 0; i < n * v->c; i++)
      row[i] = scaled(reduced(&last[0][i], j - 6, TAPS, STRIP * C_MAX), &scale[i % v->c * step]);
  }
}

void few__warp(const few_data *d, int64_t index, const struct few_warp *warp,
               const struct few_data_scale *scale, int step, float *out) {
  const struct view v = see(d, index, warp);
  if (warp->affine) {
    for (int64_t x = 0; x < v.w; x += STRIP)
      warp_strip(&v, warp, x, (int)(v.w - x < STRIP ? v.w - x : STRIP), scale, step, out);
    return;
  }
  for (int64_t y = 0; y < v.h; y++)
    for (int64_t x = 0; x < v.w; x++) {
      const uint8_t *p = v.at + place_y(&v, y) + place_x(&v, x);
      for (int c = 0; c < v.c; c++) *out++ = scaled(p[c], &scale[c * step]);
    }
}
