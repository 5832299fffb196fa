/* reduce.c - sum over the dims whose length in the result is 1, and its transpose, broadcast.
 *
 * After the sweep of pointwise.h has merged dims, kept dims and summed dims alternate. If the
 * innermost dim is kept, rows are added to a row of results; else each row is summed to one number.
 * Blocks of at most 32 terms per lane are added in float, and the blocks in double, in an order
 * that depends on shapes only. So the error is that of a sum of 32 terms, whatever the length.
 *
 * Rows shorter than two vectors, such as those of 3 channels, are summed as rows VF_W times as
 * long, which are folded at the end.
 */
#include "pointwise.h"
#include "stored.h"

enum { BLOCK = 32 };

/* to[0..VF_W-1] += x */
VF_INLINE void add_to_doubles(double *to, vf x) {
  float a[VF_W];
  vf_store(a, x);
  for (int i = 0; i < VF_W; i++) to[i] += (double)a[i];
}

/* to[c] += sum over rows of x[row, c], for the 4 VF_W columns from x on. */
VF_INLINE void add_columns(double *to, struct from x, int64_t rows, int64_t stride) {
  for (int64_t row = 0; row < rows; row += BLOCK) {
    const int64_t n = rows - row < BLOCK ? rows - row : BLOCK;
    vf s[4] = {{0}};
    for (int64_t r = 0; r < n; r++, x = num_from(x, stride))
      for (int v = 0; v < 4; v++) s[v] += num_load(x, v * VF_W);
    for (int v = 0; v < 4; v++) add_to_doubles(to + v * VF_W, s[v]);
  }
}

/* to[c] += sum over rows of x[row, c], for n <= VF_W columns. */
VF_INLINE void add_some_columns(double *to, struct from x, int64_t rows, int64_t stride,
                                int64_t n) {
  for (int64_t row = 0; row < rows; row += BLOCK) {
    const int64_t block = rows - row < BLOCK ? rows - row : BLOCK;
    vf s = {0};
    for (int64_t r = 0; r < block; r++, x = num_from(x, stride)) s += num_load_n(x, 0, n);
    float a[VF_W];
    vf_store(a, s);
    for (int64_t c = 0; c < n; c++) to[c] += (double)a[c];
  }
}

VF_INLINE void add_wide(double *to, struct from x, int64_t rows, int64_t len) {
  int64_t c = 0;
  for (; c + 4 * VF_W <= len; c += 4 * VF_W) add_columns(to + c, num_from(x, c), rows, len);
  for (; c < len; c += VF_W)
    add_some_columns(to + c, num_from(x, c), rows, len, len - c < VF_W ? len - c : VF_W);
}

VF_INLINE void add_rows(double *to, struct from x, int64_t rows, int64_t len) {
  if (len >= 2 * VF_W || rows < 2 * VF_W) {
    add_wide(to, x, rows, len);
    return;
  }
  double wide[2 * VF_W * VF_W] = {0};
  const int64_t folded = rows / VF_W;
  add_wide(wide, x, folded, len * VF_W);
  for (int64_t k = 0; k < len * VF_W; k++) to[k % len] += wide[k];
  add_wide(to, num_from(x, folded * VF_W * len), rows - folded * VF_W, len);
}

VF_INLINE double sum_row(struct from x, int64_t n) {
  double sum = 0;
  int64_t i = 0;
  while (i + 4 * VF_W <= n) {
    vf s[4] = {{0}};
    for (int k = 0; k < BLOCK / 4 && i + 4 * VF_W <= n; k++, i += 4 * VF_W)
      for (int v = 0; v < 4; v++) s[v] += num_load(x, i + v * VF_W);
    sum += (double)vf_sum((s[0] + s[1]) + (s[2] + s[3]));
  }
  vf rest = {0};
  for (; i + VF_W <= n; i += VF_W) rest += num_load(x, i);
  if (i < n) rest += num_load_n(x, i, n - i);
  return sum + (double)vf_sum(rest);
}

VF_INLINE void add_all(bool bf16, double *total, const struct few_call *call) {
  const struct few_shape whole = call->in[0].shape;
  struct from x = {call->in[0].data, bf16};
  struct sweep w = {.n = 1};
  sweep_broadcast(w.stride[0], call->shape, whole);
  sweep_merge(&w, whole);
  const int last = w.rank - 1;
  const bool keeps = w.stride[0][last] != 0;
  const int outer = keeps && last > 0 ? last - 1 : last;
  const int64_t rows = outer < last ? w.dim[last - 1] : 1, len = w.dim[last];
  const int64_t n_outer = sweep_count(&w, outer);
  for (int64_t o = 0; o < n_outer; o++, x = num_from(x, rows * len)) {
    double *to = total + sweep_at(&w, 0, outer, o);
    if (keeps)
      add_rows(to, x, rows, len);
    else
      *to += sum_row(x, len);
  }
}

VF_INLINE void write_sums(bool bf16, void *out, const double *total, int64_t n) {
  const struct to y = {out, bf16};
  for (int64_t k = 0; k < n; k++) num_put(y, k, (float)total[k]);
}

static int64_t results(const struct few_call *call) {
  int64_t n = 1;
  for (int k = 0; k < call->shape.rank; k++) n *= call->shape.dim[k];
  return n;
}

void FEW_ISA(few__cpu_sum)(const struct few_call *call) {
  const int64_t n = results(call);
  double *total = call->scratch;
  for (int64_t k = 0; k < n; k++) total[k] = 0;
  if (!sweep_empty(call->in[0].shape)) STORED_1(add_all, call->in[0].bf16, total, call);
  STORED_1(write_sums, call->bf16[0], call->out, total, n);
}

size_t FEW_ISA(few__cpu_sum_scratch)(const struct few_call *call) {
  return (size_t)results(call) * sizeof(double);
}

void FEW_ISA(few__cpu_broadcast)(const struct few_call *call) {
  if (sweep_empty(call->shape)) return;
  struct sweep w = {.n = 1};
  sweep_broadcast(w.stride[0], call->in[0].shape, call->shape);
  sweep_merge(&w, call->shape);
  const int last = w.rank - 1;
  const int64_t len = w.dim[last], rows = sweep_count(&w, last);
  const bool copies = w.stride[0][last] != 0;
  struct to out = num_result(call);
  for (int64_t row = 0; row < rows; row++, out = num_to(out, len)) {
    const struct from x = num_from(num_operand(call, 0), sweep_at(&w, 0, last, row));
    if (copies)
      num_copy(out, x, len);
    else
      num_fill(out, num_get(x, 0), len);
  }
}
