/* shape_resample.c - halve and double the resolution of [N,H,W,C] (formula: ref/k_resample.c).
 *
 * In both, a pixel of the result is a weighted sum over a few rows and a few columns of the
 * operand. These rows and their weights depend only on the row of the result; likewise the
 * columns.
 */
#include "stored.h"

enum { TAPS = FEW_MAX_TAPS };

struct taps {
  int n;
  int64_t at[TAPS];
  double weight[TAPS];
};

/* The indices, and their weights, that index i of the result reads from an axis of length `len`. */
static struct taps taps_of(const struct few_attr_resample *attr, bool up, int64_t i, int64_t len) {
  const int n = (int)attr->n, first = n / 2 - 1;
  struct taps t = {.n = 0};
  assert(n <= TAPS);
  for (int a = 0; a < n; a++) {
    const int64_t twice = i + first - a; /* for up: twice the index */
    if (up && twice % 2 != 0) continue;
    const int64_t at = up ? twice / 2 : 2 * i + a - first;
    if (at < 0 || at >= len) continue;
    t.at[t.n] = at;
    t.weight[t.n++] = attr->tap[a];
  }
  return t;
}

VF_INLINE void resample(bool x_bf16, bool y_bf16, const struct few_call *call, bool up) {
  const struct few_shape from = call->in[0].shape, to = call->shape;
  const int64_t W = from.dim[2], C = from.dim[3];
  const struct from whole = {call->in[0].data, x_bf16};
  struct to out = {call->out, y_bf16};
  struct taps *columns = call->scratch;
  for (int64_t q = 0; q < to.dim[2]; q++)
    columns[q] = taps_of(&call->node->attr.resample, up, q, W);
  for (int64_t row = 0; row < to.dim[0] * to.dim[1]; row++) {
    const struct from image = num_from(whole, row / to.dim[1] * from.dim[1] * W * C);
    const struct taps v = taps_of(&call->node->attr.resample, up, row % to.dim[1], from.dim[1]);
    for (int64_t q = 0; q < to.dim[2]; q++, out = num_to(out, C)) {
      const struct taps *h = &columns[q];
      const void *x[TAPS * TAPS];
      float weight[TAPS * TAPS];
      int n = 0;
      for (int a = 0; a < v.n; a++)
        for (int b = 0; b < h->n; b++, n++) {
          x[n] = num_from(image, (v.at[a] * W + h->at[b]) * C).at;
          weight[n] = (float)((up ? 4 : 1) * v.weight[a] * h->weight[b]);
        }
      int64_t c = 0;
      for (; c + VF_W <= C; c += VF_W) {
        vf s = {0};
        for (int k = 0; k < n; k++)
          s = vf_fma(num_load((struct from){x[k], x_bf16}, c), vf_set(weight[k]), s);
        num_store(out, c, s);
      }
      for (; c < C; c++) {
        float s = 0;
        for (int k = 0; k < n; k++) s += num_get((struct from){x[k], x_bf16}, c) * weight[k];
        num_put(out, c, s);
      }
    }
  }
}

static void run(const struct few_call *call, bool up) {
  STORED_2(resample, call->in[0].bf16, call->bf16[0], call, up);
}

static size_t scratch_bytes(const struct few_call *call) {
  return (size_t)call->shape.dim[2] * sizeof(struct taps);
}

void FEW_ISA(few__cpu_down)(const struct few_call *call) { run(call, false); }
void FEW_ISA(few__cpu_up)(const struct few_call *call) { run(call, true); }
size_t FEW_ISA(few__cpu_down_scratch)(const struct few_call *call) { return scratch_bytes(call); }
size_t FEW_ISA(few__cpu_up_scratch)(const struct few_call *call) { return scratch_bytes(call); }
