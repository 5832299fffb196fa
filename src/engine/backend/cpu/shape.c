/* shape.c - transpose. After neighbouring dims that travel together are merged, either the
 * innermost dim stays innermost and rows are copied, or two dims change places, by tiles whose rows
 * on either side are whole cache lines.
 *
 * Slice, pad, concat and onehot are copies of runs in ref already.
 */
#include "pointwise.h"
#include "shape_tile.h"

enum { FROM, TO }; /* operands of the sweep: both sides have strides */

static void copy_rows(const struct sweep *w, float *out, const float *x) {
  const int last = w->rank - 1;
  const int64_t len = w->dim[last], rows = sweep_count(w, last);
  for (int64_t r = 0; r < rows; r++, out += len)
    memcpy(out, x + sweep_at(w, FROM, last, r), (size_t)len * sizeof *out);
}

/* Dim j of the result is the innermost of the operand. */
static void swap_dims(const struct sweep *w, int j, float *out, const float *x) {
  enum { ROWS = 16, COLUMNS = 16 };
  const int last = w->rank - 1;
  const int64_t from_row = w->stride[FROM][last], to_row = w->stride[TO][j];
  struct sweep others = {.n = 2};
  for (int k = 0; k < last; k++) {
    if (k == j) continue;
    others.dim[others.rank] = w->dim[k];
    for (int o = 0; o < 2; o++) others.stride[o][others.rank] = w->stride[o][k];
    others.rank++;
  }
  const int64_t n = sweep_count(&others, others.rank), rows = w->dim[j], cols = w->dim[last];
  for (int64_t i = 0; i < n; i++) {
    const float *from = x + sweep_at(&others, FROM, others.rank, i);
    float *to = out + sweep_at(&others, TO, others.rank, i);
    for (int64_t r = 0; r < rows; r += ROWS)
      for (int64_t c = 0; c < cols; c += COLUMNS)
        transpose_tile(to + r * to_row + c, to_row, from + c * from_row + r, from_row,
                       cols - c < COLUMNS ? cols - c : COLUMNS, rows - r < ROWS ? rows - r : ROWS);
  }
}

void FEW_ISA(few__cpu_transpose)(const struct few_call *call) {
  const struct few_shape in = call->in[0].shape;
  if (sweep_empty(in)) return;
  struct sweep w = {.n = 2};
  for (int k = 0; k < in.rank; k++) {
    const int from = (int)call->node->attr.transpose.perm[k];
    w.stride[FROM][k] = w.stride[TO][k] = 1;
    for (int i = from + 1; i < in.rank; i++) w.stride[FROM][k] *= in.dim[i];
    for (int i = k + 1; i < in.rank; i++) w.stride[TO][k] *= call->shape.dim[i];
  }
  sweep_merge(&w, call->shape);
  int j = w.rank - 1;
  while (j > 0 && w.stride[FROM][j] != 1) j--;
  if (j == w.rank - 1)
    copy_rows(&w, call->out, call->in[0].data);
  else
    swap_dims(&w, j, call->out, call->in[0].data);
}
