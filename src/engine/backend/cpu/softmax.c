/* softmax.c - y = exp(x - max x) / sum exp(x - max x) over the last axis. The second pass leaves
 * the exponentials in y, the third divides.
 */
#include "cpu.h"
#include "vmath.h"

static float row_max(const float *x, int64_t n) {
  vf m = vf_set(-INFINITY);
  int64_t i = 0;
  for (; i + VF_W <= n; i += VF_W) m = vf_max(m, vf_load(x + i));
  float max = vf_max_lane(m);
  for (; i < n; i++) max = x[i] > max ? x[i] : max;
  return max;
}

/* y = exp(x - max); returns the sum. A vector of sums over at most 64 terms, those in double. */
static double row_exp(float *y, const float *x, int64_t n, float max) {
  double sum = 0;
  int64_t i = 0;
  while (i + VF_W <= n) {
    vf s = {0};
    for (int k = 0; k < 64 && i + VF_W <= n; k++, i += VF_W) {
      const vf e = vf_exp(vf_load(x + i) - max);
      vf_store(y + i, e);
      s += e;
    }
    sum += (double)vf_sum(s);
  }
  if (i == n) return sum;
  const vf e = vf_exp(vf_load_n(x + i, n - i) - max);
  vf_store_n(y + i, e, n - i);
  for (int k = 0; k < n - i; k++) sum += (double)e[k];
  return sum;
}

static void row_scale(float *y, int64_t n, float by) {
  int64_t i = 0;
  for (; i + VF_W <= n; i += VF_W) vf_store(y + i, vf_load(y + i) * by);
  if (i < n) vf_store_n(y + i, vf_load_n(y + i, n - i) * by, n - i);
}

void FEW_ISA(few__cpu_softmax)(const struct few_call *call) {
  const struct few_shape s = call->shape;
  assert(s.rank >= 1);
  int64_t rows = 1;
  for (int k = 0; k < s.rank - 1; k++) rows *= s.dim[k];
  const int64_t n = s.dim[s.rank - 1];
  const float *x = call->in[0].data;
  float *y = call->out;
  for (int64_t r = 0; r < rows && n > 0; r++, x += n, y += n) {
    const double sum = row_exp(y, x, n, row_max(x, n));
    row_scale(y, n, (float)(1 / sum));
  }
}
