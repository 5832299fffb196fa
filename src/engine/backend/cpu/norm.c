/* norm.c - normalises groups of channels, and computes the derivative of the normalisation
 * (formulas: ref/k_norm.c).
 *
 * For images, vector lanes are channels: a first pass over an image computes its statistics
 * (norm.h) and a second pass writes the result. For a single position and wide groups, as in layer
 * norm, lanes run along the row. The passes over a row are cheap, since it stays in the first-level
 * cache.
 */
#include "norm.h"

/* ---- Lanes are channels ---- */

VF_INLINE void write_image(bool x_bf16, bool d_bf16, bool y_bf16, const struct norm *n,
                           const float *factor, int64_t image, void *out) {
  const int64_t C = n->C;
  const float *scale = factor + NORM_SCALE * C;
  const float *slope = n->d.at ? factor + NORM_SLOPE * C : scale;
  const float *add = factor + (n->d.at ? NORM_ADD : NORM_BASE) * C;
  const struct from x = {n->x.at, x_bf16}, d = {n->d.at, d_bf16};
  const struct to y = {out, y_bf16};
  for (int64_t p = 0; p < n->P; p++) {
    const int64_t at = (image * n->P + p) * C;
    for (int64_t c = 0; c < C; c += VF_W) {
      const int64_t len = C - c < VF_W ? C - c : VF_W;
      vf v = norm_load(add + c, len);
      if (d.at) v = vf_fma(num_load_n(d, at + c, len), norm_load(scale + c, len), v);
      const vf t = num_load_n(x, at + c, len) - norm_load(factor + NORM_HIGH * C + c, len);
      num_store_n(y, at + c, vf_fma(t, norm_load(slope + c, len), v), len);
    }
  }
}

static void run_channels(const struct norm *n, void *scratch, struct to y) {
  float *factor = (void *)((char *)scratch + norm_sums_bytes(n->C));
  for (int64_t image = 0; image < n->N; image++) {
    norm_image(n, image, scratch, factor);
    STORED_3(write_image, n->x.bf16, n->d.bf16, y.bf16, n, factor, image, y.at);
  }
}

/* ---- Lanes run along the row ---- */

struct row_sums {
  double t, tt, u, tu; /* sums of t = x - m, t^2, u = d and t u */
};

/* Adds at most 64 terms per lane in float, and these sums in double. */
VF_INLINE struct row_sums sum_row(struct from x, struct from d, float m, int64_t n) {
  struct row_sums s = {0, 0, 0, 0};
  int64_t i = 0;
  while (i + VF_W <= n) {
    vf st = {0}, stt = {0}, su = {0}, stu = {0};
    for (int k = 0; k < 64 && i + VF_W <= n; k++, i += VF_W) {
      const vf t = num_load(x, i) - m;
      st += t;
      stt = vf_fma(t, t, stt);
      if (!d.at) continue;
      const vf u = num_load(d, i);
      su += u;
      stu = vf_fma(t, u, stu);
    }
    s.t += (double)vf_sum(st);
    s.tt += (double)vf_sum(stt);
    s.u += (double)vf_sum(su);
    s.tu += (double)vf_sum(stu);
  }
  for (; i < n; i++) {
    const double t = (double)(num_get(x, i) - m), u = d.at ? (double)num_get(d, i) : 0;
    s.t += t;
    s.tt += t * t;
    s.u += u;
    s.tu += t * u;
  }
  return s;
}

VF_INLINE float row_mean(struct from x, int64_t n) {
  vf s[2] = {{0}, {0}};
  int64_t i = 0;
  for (; i + 2 * VF_W <= n; i += 2 * VF_W) {
    s[0] += num_load(x, i);
    s[1] += num_load(x, i + VF_W);
  }
  float sum = vf_sum(s[0] + s[1]);
  for (; i < n; i++) sum += num_get(x, i);
  return sum / (float)n;
}

/* The first mean has the rounding error of floats; the second pass corrects it. */
VF_INLINE void run_row(const struct norm *n, struct from x, struct from d, struct to y) {
  const int64_t len = n->width;
  const double count = (double)len;
  const float m = n->center ? row_mean(x, len) : 0;
  const struct row_sums s = sum_row(x, d, m, len);
  const double off = n->center ? -s.t / count : 0; /* m - mean */
  const double mean_d = n->center ? s.u / count : 0;
  const double var = fmax(s.tt / count - off * off, 0);
  const struct norm_apply a = norm_apply_of(n, var, mean_d, s.tu / count + off * mean_d);
  const vf slope = vf_set((float)a.slope), scale = vf_set((float)a.r);
  const vf add = vf_set((float)(a.add + off * a.slope));
  for (int64_t i = 0; i < len; i += VF_W) {
    const int64_t some = len - i < VF_W ? len - i : VF_W;
    vf v = vf_fma(num_load_n(x, i, some) - m, slope, add);
    if (d.at) v = vf_fma(num_load_n(d, i, some), scale, v);
    num_store_n(y, i, v, some);
  }
}

VF_INLINE void run_rows(bool x_bf16, bool d_bf16, bool y_bf16, const struct norm *n, void *out) {
  struct from x = {n->x.at, x_bf16}, d = {n->d.at, d_bf16};
  struct to y = {out, y_bf16};
  for (int64_t at = 0; at < n->N * n->C; at += n->width) {
    run_row(n, x, d, y);
    x = num_from(x, n->width);
    if (d.at) d = num_from(d, n->width);
    y = num_to(y, n->width);
  }
}

static bool goes_by_rows(const struct norm *n) { return n->P == 1 && n->width >= VF_W; }

static void run(const struct few_call *call) {
  struct norm n = norm_of(call->shape, &call->node->attr.norm);
  const struct to y = num_result(call);
  n.x = num_operand(call, 0);
  if (call->n_in > 1) n.d = num_operand(call, 1);
  if (n.N * n.P * n.C == 0) return;
  if (goes_by_rows(&n))
    STORED_3(run_rows, n.x.bf16, n.d.bf16, y.bf16, &n, y.at);
  else
    run_channels(&n, call->scratch, y);
}

static size_t scratch_bytes(const struct few_call *call) {
  const int64_t C = call->shape.dim[call->shape.rank - 1];
  return norm_sums_bytes(C) + (size_t)C * NORM_FACTORS * sizeof(float);
}

void FEW_ISA(few__cpu_norm)(const struct few_call *call) { run(call); }
size_t FEW_ISA(few__cpu_norm_scratch)(const struct few_call *call) { return scratch_bytes(call); }
void FEW_ISA(few__cpu_norm_tangent)(const struct few_call *call) { run(call); }
size_t FEW_ISA(few__cpu_norm_tangent_scratch)(const struct few_call *call) {
  return scratch_bytes(call);
}
