/* softmax.c - y = exp(x - max x) / sum exp(x - max x) over the last axis. The first pass finds the
 * maximum, the second writes the exponentials to y, and the third divides. If y is in bf16, the
 * exponentials are kept in a row of floats.
 */
#include "stored.h"
#include "vmath.h"

VF_INLINE float row_max(struct from x, int64_t n) {
  vf m = vf_set(-INFINITY);
  int64_t i = 0;
  for (; i + VF_W <= n; i += VF_W) m = vf_max(m, num_load(x, i));
  float max = vf_max_lane(m);
  for (; i < n; i++) {
    const float one = num_get(x, i);
    max = one > max ? one : max;
  }
  return max;
}

/* to = exp(x - max); returns the sum. At most 64 terms per lane are added in float, and these sums
 * in double. */
VF_INLINE double row_exp(float *to, struct from x, int64_t n, float max) {
  double sum = 0;
  int64_t i = 0;
  while (i + VF_W <= n) {
    vf s = {0};
    for (int k = 0; k < 64 && i + VF_W <= n; k++, i += VF_W) {
      const vf e = vf_exp(num_load(x, i) - max);
      vf_store(to + i, e);
      s += e;
    }
    sum += (double)vf_sum(s);
  }
  if (i == n) return sum;
  const vf e = vf_exp(num_load_n(x, i, n - i) - max);
  vf_store_n(to + i, e, n - i);
  for (int k = 0; k < n - i; k++) sum += (double)e[k];
  return sum;
}

/* y = e by; they may be the same memory. */
VF_INLINE void row_scale(struct to y, const float *e, int64_t n, float by) {
  int64_t i = 0;
  for (; i + VF_W <= n; i += VF_W) num_store(y, i, vf_load(e + i) * by);
  if (i < n) num_store_n(y, i, vf_load_n(e + i, n - i) * by, n - i);
}

static int64_t row_length(const struct few_call *call) {
  assert(call->shape.rank >= 1);
  return call->shape.dim[call->shape.rank - 1];
}

VF_INLINE void run(bool x_bf16, bool y_bf16, const struct few_call *call) {
  const int64_t n = row_length(call);
  int64_t rows = 1;
  for (int k = 0; k < call->shape.rank - 1; k++) rows *= call->shape.dim[k];
  struct from x = {call->in[0].data, x_bf16};
  struct to y = {call->out, y_bf16};
  for (int64_t r = 0; r < rows && n > 0; r++, x = num_from(x, n), y = num_to(y, n)) {
    float *e = y_bf16 ? call->scratch : y.at;
    const double sum = row_exp(e, x, n, row_max(x, n));
    row_scale(y, e, n, (float)(1 / sum));
  }
}

void FEW_ISA(few__cpu_softmax)(const struct few_call *call) {
  STORED_2(run, call->in[0].bf16, call->bf16[0], call);
}

size_t FEW_ISA(few__cpu_softmax_scratch)(const struct few_call *call) {
  return call->bf16[0] ? (size_t)row_length(call) * sizeof(float) : 0;
}
