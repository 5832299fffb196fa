/* walk.h - visit a shape row by row, with the position of each operand.
 *
 * A broadcast, a sum and a transpose are all the same walk. It visits the elements of one shape in
 * row-major order, while each operand advances by a stride of its own along every dim (0 where it
 * repeats). Adjacent dims are merged if all operands can cross them as one, so operands of the same
 * shape make a single long row:
 *
 *     for row in 0..w.rows-1:  for j in 0..w.len-1:
 *       element row * w.len + j  is  operand k's element  walk_at(&w, k, row) + j * w.step[k]
 */
#ifndef FEW_SRC_REF_WALK_H
#define FEW_SRC_REF_WALK_H

#include "engine/backend/backend.h"

enum { WALK_OPERANDS = 3 };

struct walk {
  int64_t rows, len;
  int64_t step[WALK_OPERANDS];
  int rank; /* dims after merging, including the row */
  int64_t dim[FEW_MAX_RANK];
  int64_t stride[WALK_OPERANDS][FEW_MAX_RANK];
};

/* Strides of a dense s along the dims of `whole`. s has the same rank, with dims equal or 1, or is
 * a scalar. */
static inline void broadcast_strides(struct few_shape s, struct few_shape whole, int64_t *stride) {
  assert(s.rank == 0 || s.rank == whole.rank);
  int64_t step = 1;
  for (int k = whole.rank - 1; k >= 0; k--) {
    int64_t d = s.rank == 0 ? 1 : s.dim[k];
    assert(d == 1 || d == whole.dim[k]);
    stride[k] = d == 1 ? 0 : step;
    step *= d;
  }
}

/* Whether dim k, of length d, may be merged with dim `last` before it. */
static inline bool walk_joins(const struct walk *w, int last, int k, int64_t d) {
  for (int o = 0; o < WALK_OPERANDS; o++)
    if (w->stride[o][last] != w->stride[o][k] * d) return false;
  return true;
}

/* Prepares the walk over s. w->stride[operand][dim of s] must be set, to 0 for absent operands. */
static inline void walk_start(struct walk *w, struct few_shape s) {
  int n = 0;
  for (int k = 0; k < s.rank; k++) {
    int64_t d = s.dim[k];
    if (d == 1) continue;
    if (n > 0 && walk_joins(w, n - 1, k, d)) d *= w->dim[--n];
    w->dim[n] = d;
    for (int o = 0; o < WALK_OPERANDS; o++) w->stride[o][n] = w->stride[o][k];
    n++;
  }
  if (n == 0) w->dim[n++] = 1;
  w->rank = n;
  w->len = w->dim[n - 1];
  w->rows = 1;
  for (int k = 0; k < n - 1; k++) w->rows *= w->dim[k];
  for (int o = 0; o < WALK_OPERANDS; o++) w->step[o] = w->stride[o][n - 1];
}

/* Offset of row `row` in operand o. */
static inline int64_t walk_at(const struct walk *w, int o, int64_t row) {
  int64_t at = 0;
  for (int k = w->rank - 2; k >= 0; k--) {
    at += row % w->dim[k] * w->stride[o][k];
    row /= w->dim[k];
  }
  return at;
}

#endif
