/* shape.c - transpose.
 *
 * First, adjacent dims that stay adjacent are merged. Then either the innermost dim stays innermost
 * and rows are copied, or two dims are exchanged by tiles whose rows are whole cache lines in both
 * the operand and the result.
 */
#include "pointwise.h"
#include "shape_tile.h"

enum { FROM, TO }; /* operands of the sweep: the operand and the result */

static void copy_rows(const struct sweep *w, struct to out, struct from x) {
  const int last = w->rank - 1;
  const int64_t len = w->dim[last], rows = sweep_count(w, last);
  for (int64_t r = 0; r < rows; r++, out = num_to(out, len))
    num_copy(out, num_from(x, sweep_at(w, FROM, last, r)), len);
}

/* Dim j of the result is the innermost dim of the operand. */
VF_INLINE void swap_dims(bool x_bf16, bool y_bf16, const struct sweep *w, int j,
                         const struct few_call *call) {
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
    const struct from from =
        num_from((struct from){call->in[0].data, x_bf16}, sweep_at(&others, FROM, others.rank, i));
    const struct to to =
        num_to((struct to){call->out, y_bf16}, sweep_at(&others, TO, others.rank, i));
    for (int64_t r = 0; r < rows; r += ROWS)
      for (int64_t c = 0; c < cols; c += COLUMNS)
        transpose_tile(num_to(to, r * to_row + c), to_row, num_from(from, c * from_row + r),
                       from_row, cols - c < COLUMNS ? cols - c : COLUMNS,
                       rows - r < ROWS ? rows - r : ROWS);
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
    copy_rows(&w, num_result(call), num_operand(call, 0));
  else
    STORED_2(swap_dims, call->in[0].bf16, call->bf16[0], &w, j, call);
}
