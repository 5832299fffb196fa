/* norm.c - normalise groups of channels, and the derivative of that (formulas: ref/k_norm.c).
 *
 * For many positions, lanes are channels. One pass over an image gives for each channel the sums of
 *
 *     x - m,   (x - m)^2      and for the derivative also      d,   (x - m) d
 *
 * where m is the channel's mean over a few positions spread over the image: near the true mean, so
 * that nothing cancels, at no second pass. Floats are summed over blocks of 16 positions, blocks in
 * double; the channels of a group are combined in double. A second pass writes
 *
 *     y = (x - mean) r,     J d = r d + k (x - mean) + c
 *
 * with the mean in two floats, high and low: subtracting the high part of a large mean is exact.
 *
 * For few positions and wide groups (layer norm: rows of C) lanes run along the row, in two passes
 * over a row that is in the first-level cache.
 */
#include "backend/cpu/cpu.h"
#include "backend/cpu/vec.h"

#include <math.h>

enum { BLOCK = 16, SAMPLES = 16 };

struct norm {
  int64_t N, P, C, groups, width; /* width: channels of a group */
  bool center;
  double eps;
  const float *x, *d; /* d NULL: the value */
  float *y;
};

/* What a channel has summed, in scratch: arrays of C. */
struct channels {
  double *x, *xx, *d, *xd;           /* sums of x - m, (x - m)^2, d, (x - m) d */
  float *m;                          /* the shift */
  float *high, *scale, *slope, *add; /* out = (x - high) slope + d scale + add */
};

static struct norm norm_of(const struct few_call *call) {
  const struct few_shape s = call->shape;
  assert(s.rank >= 2);
  struct norm n = {.N = s.dim[0],
                   .C = s.dim[s.rank - 1],
                   .groups = call->node->attr.i[0],
                   .center = call->node->attr.i[1] != 0,
                   .eps = call->node->attr.f[0],
                   .x = call->in[0].data,
                   .d = call->n_in > 1 ? call->in[1].data : NULL,
                   .y = call->out};
  assert(n.groups > 0 && n.C % n.groups == 0);
  n.P = 1;
  for (int k = 1; k < s.rank - 1; k++) n.P *= s.dim[k];
  n.width = n.C / n.groups;
  return n;
}

/* ---- The statistics of a group ---- */

/* out = (x - mean) slope + d r + add, from means over the group. */
struct apply {
  double r, slope, add;
};

static struct apply apply_of(const struct norm *n, double var, double mean_d, double mean_xd) {
  const double r = 1 / sqrt(var + n->eps);
  if (!n->d) return (struct apply){0, r, 0};
  return (struct apply){r, -r * r * r * mean_xd, n->center ? -r * mean_d : 0};
}

/* ---- Lanes are channels ---- */

static vf load_some(const float *x, int64_t n) { return n == VF_W ? vf_load(x) : vf_load_n(x, n); }
static void store_some(float *x, vf y, int64_t n) {
  if (n == VF_W)
    vf_store(x, y);
  else
    vf_store_n(x, y, n);
}

static void add_doubles(double *to, vf x, int64_t n) {
  float a[VF_W];
  vf_store(a, x);
  for (int64_t i = 0; i < n; i++) to[i] += (double)a[i];
}

/* A mean over SAMPLES positions spread over the image. */
static vf sample_mean(const float *x, int64_t P, int64_t C, int64_t n) {
  const int64_t samples = P < SAMPLES ? P : SAMPLES;
  vf s = {0};
  for (int64_t k = 0; k < samples; k++) s += load_some(x + k * P / samples * C, n);
  return s / (float)samples;
}

/* Sums of one vector of n channels over the image at x (and d). */
static void sum_channels(const struct norm *n, const struct channels *ch, const float *x,
                         const float *d, int64_t c, int64_t len) {
  const int64_t C = n->C;
  const vf m = n->center ? sample_mean(x + c, n->P, C, len) : (vf){0};
  store_some(ch->m + c, m, len);
  for (int64_t p = 0; p < n->P; p += BLOCK) {
    const int64_t end = n->P - p < BLOCK ? n->P : p + BLOCK;
    vf sx = {0}, sxx = {0}, sd = {0}, sxd = {0};
    for (int64_t q = p; q < end; q++) {
      const vf t = load_some(x + q * C + c, len) - m;
      sx += t;
      sxx = vf_fma(t, t, sxx);
      if (!d) continue;
      const vf u = load_some(d + q * C + c, len);
      sd += u;
      sxd = vf_fma(t, u, sxd);
    }
    add_doubles(ch->x + c, sx, len);
    add_doubles(ch->xx + c, sxx, len);
    if (!d) continue;
    add_doubles(ch->d + c, sd, len);
    add_doubles(ch->xd + c, sxd, len);
  }
}

/* Combine channels first..first+width-1 and write what the second pass multiplies by. */
static void finish_group(const struct norm *n, const struct channels *ch, int64_t first) {
  const double P = (double)n->P, count = P * (double)n->width;
  const int64_t end = first + n->width;
  double mean = 0, var = 0, mean_d = 0, mean_xd = 0;
  if (n->center) {
    for (int64_t c = first; c < end; c++) mean += ch->x[c] / count + (double)ch->m[c] * (P / count);
  }
  for (int64_t c = first; c < end; c++) {
    const double off = (double)ch->m[c] - mean; /* x - mean = (x - m) + off */
    var += ch->xx[c] + off * (2 * ch->x[c] + off * P);
    if (!n->d) continue;
    mean_d += ch->d[c] / count;
    mean_xd += (ch->xd[c] + off * ch->d[c]) / count;
  }
  const struct apply a = apply_of(n, fmax(var, 0) / count, mean_d, mean_xd);
  const float high = (float)mean;
  for (int64_t c = first; c < end; c++) {
    ch->high[c] = high;
    ch->slope[c] = (float)a.slope;
    ch->scale[c] = (float)a.r;
    ch->add[c] = (float)(a.add - (mean - (double)high) * a.slope);
  }
}

static void write_positions(const struct norm *n, const struct channels *ch, int64_t image) {
  const int64_t C = n->C;
  for (int64_t p = 0; p < n->P; p++) {
    const int64_t at = (image * n->P + p) * C;
    for (int64_t c = 0; c < C; c += VF_W) {
      const int64_t len = C - c < VF_W ? C - c : VF_W;
      vf y = load_some(ch->add + c, len);
      if (n->d) y = vf_fma(load_some(n->d + at + c, len), load_some(ch->scale + c, len), y);
      const vf t = load_some(n->x + at + c, len) - load_some(ch->high + c, len);
      store_some(n->y + at + c, vf_fma(t, load_some(ch->slope + c, len), y), len);
    }
  }
}

static void run_channels(const struct norm *n, void *scratch) {
  const int64_t C = n->C;
  double *sums = scratch;
  float *f = (void *)(sums + 4 * C);
  const struct channels ch = {sums,  sums + C,  sums + 2 * C, sums + 3 * C, f,
                              f + C, f + 2 * C, f + 3 * C,    f + 4 * C};
  for (int64_t image = 0; image < n->N; image++) {
    const int64_t at = image * n->P * C;
    for (int64_t k = 0; k < 4 * C; k++) sums[k] = 0;
    for (int64_t c = 0; c < C; c += VF_W)
      sum_channels(n, &ch, n->x + at, n->d ? n->d + at : NULL, c, C - c < VF_W ? C - c : VF_W);
    for (int64_t g = 0; g < n->groups; g++) finish_group(n, &ch, g * n->width);
    write_positions(n, &ch, image);
  }
}

/* ---- Lanes run along the row ---- */

struct row_sums {
  double t, tt, u, tu; /* of t = x - m and u = d, and their products */
};

/* At most 64 terms a lane are added in float. */
static struct row_sums sum_row(const float *x, const float *d, float m, int64_t n) {
  struct row_sums s = {0, 0, 0, 0};
  int64_t i = 0;
  while (i + VF_W <= n) {
    vf st = {0}, stt = {0}, su = {0}, stu = {0};
    for (int k = 0; k < 64 && i + VF_W <= n; k++, i += VF_W) {
      const vf t = vf_load(x + i) - m;
      st += t;
      stt = vf_fma(t, t, stt);
      if (!d) continue;
      const vf u = vf_load(d + i);
      su += u;
      stu = vf_fma(t, u, stu);
    }
    s.t += (double)vf_sum(st);
    s.tt += (double)vf_sum(stt);
    s.u += (double)vf_sum(su);
    s.tu += (double)vf_sum(stu);
  }
  for (; i < n; i++) {
    const double t = (double)(x[i] - m), u = d ? (double)d[i] : 0;
    s.t += t;
    s.tt += t * t;
    s.u += u;
    s.tu += t * u;
  }
  return s;
}

static float row_mean(const float *x, int64_t n) {
  vf s[2] = {{0}, {0}};
  int64_t i = 0;
  for (; i + 2 * VF_W <= n; i += 2 * VF_W) {
    s[0] += vf_load(x + i);
    s[1] += vf_load(x + i + VF_W);
  }
  float sum = vf_sum(s[0] + s[1]);
  for (; i < n; i++) sum += x[i];
  return sum / (float)n;
}

/* The first mean is as good as floats give it; the second pass finds what it lacks. */
static void run_row(const struct norm *n, const float *x, const float *d, float *y) {
  const int64_t len = n->width;
  const double count = (double)len;
  const float m = n->center ? row_mean(x, len) : 0;
  const struct row_sums s = sum_row(x, d, m, len);
  const double off = n->center ? -s.t / count : 0; /* m - mean */
  const double mean_d = n->center ? s.u / count : 0;
  const double var = fmax(s.tt / count - off * off, 0);
  const struct apply a = apply_of(n, var, mean_d, s.tu / count + off * mean_d);
  const vf slope = vf_set((float)a.slope), scale = vf_set((float)a.r);
  const vf add = vf_set((float)(a.add + off * a.slope));
  for (int64_t i = 0; i < len; i += VF_W) {
    const int64_t some = len - i < VF_W ? len - i : VF_W;
    vf v = vf_fma(load_some(x + i, some) - m, slope, add);
    if (d) v = vf_fma(load_some(d + i, some), scale, v);
    store_some(y + i, v, some);
  }
}

static bool goes_by_rows(const struct norm *n) { return n->P == 1 && n->width >= VF_W; }

static void run(const struct few_call *call) {
  const struct norm n = norm_of(call);
  if (n.N * n.P * n.C == 0) return;
  if (!goes_by_rows(&n)) {
    run_channels(&n, call->scratch);
    return;
  }
  for (int64_t at = 0; at < n.N * n.C; at += n.width)
    run_row(&n, n.x + at, n.d ? n.d + at : NULL, n.y + at);
}

static size_t scratch_bytes(const struct few_call *call) {
  const int64_t C = call->shape.dim[call->shape.rank - 1];
  return (size_t)C * (4 * sizeof(double) + 5 * sizeof(float));
}

void FEW_ISA(few__cpu_norm)(const struct few_call *call) { run(call); }
size_t FEW_ISA(few__cpu_norm_scratch)(const struct few_call *call) { return scratch_bytes(call); }
void FEW_ISA(few__cpu_norm_tangent)(const struct few_call *call) { run(call); }
size_t FEW_ISA(few__cpu_norm_tangent_scratch)(const struct few_call *call) {
  return scratch_bytes(call);
}
