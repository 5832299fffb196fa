/* norm.h - statistics of an image's groups of channels, as factors by channel.
 *
 * Vector lanes are channels. One pass over an image gives for each channel the sums of
 *
 *     x - m,   (x - m)^2      and for the derivative also      d,   (x - m) d
 *
 * where m is the channel's mean over a few positions spread over the image. It is near the true
 * mean, so differences do not cancel, and no second pass is needed. Floats are summed over blocks
 * of 16 positions, blocks in double; the channels of a group are combined in double.
 */
#ifndef FEW_SRC_CPU_NORM_H
#define FEW_SRC_CPU_NORM_H

#include <math.h>

#include "stored.h"

struct norm {
  int64_t N, P, C, groups; /* images, positions, channels, groups */
  int64_t width;           /* channels of a group */
  bool center;
  double eps;
  struct from x, d; /* d.at is NULL if only the value is computed */
};

/* Factors by channel: the value is (x - high) scale + base, the derivative (x - high) slope +
 * d scale + add. The mean is split into two floats. Subtracting the high part of a large mean from
 * x is exact; the low part is in base and add. */
enum norm_factor { NORM_HIGH, NORM_SCALE, NORM_BASE, NORM_SLOPE, NORM_ADD, NORM_FACTORS };

static inline struct norm norm_of(struct few_shape s, const struct few_attr_norm *a) {
  assert(s.rank >= 2);
  struct norm n = {.N = s.dim[0],
                   .P = 1,
                   .C = s.dim[s.rank - 1],
                   .groups = a->groups,
                   .center = a->center != 0,
                   .eps = a->eps};
  assert(n.groups > 0 && n.C % n.groups == 0);
  for (int k = 1; k < s.rank - 1; k++) n.P *= s.dim[k];
  n.width = n.C / n.groups;
  return n;
}

/* ---- A group ---- */

/* out = (x - mean) slope + d r + add, from means over the group. */
struct norm_apply {
  double r, slope, add;
};

static inline struct norm_apply norm_apply_of(const struct norm *n, double var, double mean_d,
                                              double mean_xd) {
  const double r = 1 / sqrt(var + n->eps);
  if (!n->d.at) return (struct norm_apply){r, r, 0};
  return (struct norm_apply){r, -r * r * r * mean_xd, n->center ? -r * mean_d : 0};
}

/* The sums of each channel, in scratch: arrays of C. */
struct norm_sums {
  double *x, *xx, *d, *xd; /* sums of x - m, (x - m)^2, d, (x - m) d */
  float *m;                /* the number that is subtracted from x */
};

/* Combines channels first .. first + width - 1 of a group. factor is [NORM_FACTORS][C]. */
static inline void norm_finish_group(const struct norm *n, const struct norm_sums *s, int64_t first,
                                     float *factor) {
  const int64_t C = n->C, end = first + n->width;
  const double P = (double)n->P, count = P * (double)n->width;
  double mean = 0, var = 0, mean_d = 0, mean_xd = 0;
  if (n->center) {
    for (int64_t c = first; c < end; c++) mean += s->x[c] / count + (double)s->m[c] * (P / count);
  }
  for (int64_t c = first; c < end; c++) {
    const double off = (double)s->m[c] - mean; /* x - mean = (x - m) + off */
    var += s->xx[c] + off * (2 * s->x[c] + off * P);
    if (!n->d.at) continue;
    mean_d += s->d[c] / count;
    mean_xd += (s->xd[c] + off * s->d[c]) / count;
  }
  const struct norm_apply a = norm_apply_of(n, fmax(var, 0) / count, mean_d, mean_xd);
  const double low = mean - (double)(float)mean;
  for (int64_t c = first; c < end; c++) {
    factor[NORM_HIGH * C + c] = (float)mean;
    factor[NORM_SCALE * C + c] = (float)a.r;
    factor[NORM_BASE * C + c] = (float)(-low * a.r);
    factor[NORM_SLOPE * C + c] = (float)a.slope;
    factor[NORM_ADD * C + c] = (float)(a.add - low * a.slope);
  }
}

/* ---- An image ---- */

VF_INLINE vf norm_load(const float *x, int64_t n) {
  return n == VF_W ? vf_load(x) : vf_load_n(x, n);
}
VF_INLINE void norm_store(float *x, vf y, int64_t n) {
  if (n == VF_W)
    vf_store(x, y);
  else
    vf_store_n(x, y, n);
}

static inline void norm_add_doubles(double *to, vf x, int64_t n) {
  float a[VF_W];
  vf_store(a, x);
  for (int64_t i = 0; i < n; i++) to[i] += (double)a[i];
}

/* The mean over up to NORM_SAMPLES positions spread over the image, for n channels. */
enum { NORM_BLOCK = 16, NORM_SAMPLES = 16 };
VF_INLINE vf norm_sample_mean(struct from x, int64_t P, int64_t C, int64_t n) {
  const int64_t samples = P < NORM_SAMPLES ? P : NORM_SAMPLES;
  vf s = {0};
  for (int64_t k = 0; k < samples; k++) s += num_load_n(x, k * P / samples * C, n);
  return s / (float)samples;
}

/* Adds `rows` positions at x (and d) to the sums of `len` channels from c on. */
VF_INLINE void norm_sum_block(const struct norm_sums *s, struct from x, struct from d, int64_t rows,
                              int64_t C, int64_t c, int64_t len) {
  const vf m = norm_load(s->m + c, len);
  vf sx = {0}, sxx = {0}, sd = {0}, sxd = {0};
  for (int64_t q = 0; q < rows; q++) {
    const vf t = num_load_n(x, q * C + c, len) - m;
    sx += t;
    sxx = vf_fma(t, t, sxx);
    if (!d.at) continue;
    const vf u = num_load_n(d, q * C + c, len);
    sd += u;
    sxd = vf_fma(t, u, sxd);
  }
  norm_add_doubles(s->x + c, sx, len);
  norm_add_doubles(s->xx + c, sxx, len);
  if (!d.at) return;
  norm_add_doubles(s->d + c, sd, len);
  norm_add_doubles(s->xd + c, sxd, len);
}

/* The sums of the image whose first element is number `at`. */
VF_INLINE void norm_sum(bool x_bf16, bool d_bf16, const struct norm *n, const struct norm_sums *s,
                        int64_t at) {
  const int64_t C = n->C, whole = C / VF_W * VF_W;
  struct from x = num_from((struct from){n->x.at, x_bf16}, at), d = {n->d.at, d_bf16};
  if (d.at) d = num_from(d, at);
  for (int64_t c = 0; c < C; c += VF_W) {
    const int64_t len = C - c < VF_W ? C - c : VF_W;
    norm_store(s->m + c, n->center ? norm_sample_mean(num_from(x, c), n->P, C, len) : (vf){0}, len);
  }
  for (int64_t p = 0; p < n->P; p += NORM_BLOCK, x = num_from(x, NORM_BLOCK * C)) {
    const int64_t rows = n->P - p < NORM_BLOCK ? n->P - p : NORM_BLOCK;
    for (int64_t c = 0; c < whole; c += VF_W) norm_sum_block(s, x, d, rows, C, c, VF_W);
    if (whole < C) norm_sum_block(s, x, d, rows, C, whole, C - whole);
    if (d.at) d = num_from(d, NORM_BLOCK * C);
  }
}

static inline size_t norm_sums_bytes(int64_t C) {
  return (size_t)C * (4 * sizeof(double) + sizeof(float));
}

/* Writes the factors of one image, [NORM_FACTORS][C]. sums is scratch of norm_sums_bytes(C)
 * bytes. */
static inline void norm_image(const struct norm *n, int64_t image, void *sums, float *factor) {
  const int64_t C = n->C, at = image * n->P * C;
  double *a = sums;
  const struct norm_sums s = {a, a + C, a + 2 * C, a + 3 * C, (void *)(a + 4 * C)};
  for (int64_t k = 0; k < 4 * C; k++) a[k] = 0;
  STORED_2(norm_sum, n->x.bf16, n->d.bf16, n, &s, at);
  for (int64_t g = 0; g < n->groups; g++) norm_finish_group(n, &s, g * n->width, factor);
}

#endif
