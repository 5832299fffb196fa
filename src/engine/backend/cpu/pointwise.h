/* pointwise.h - iterate over operands of different shapes together.
 *
 * A sweep visits the elements of one shape. Along every dim each operand advances by a stride of
 * its own, which is 0 where the operand is repeated. Dims of length 1 are dropped, and adjacent
 * dims are merged if all operands can cross them as one, so most sweeps have only one or two dims.
 */
#ifndef FEW_SRC_CPU_POINTWISE_H
#define FEW_SRC_CPU_POINTWISE_H

#include "cpu.h"

struct sweep {
  int rank; /* dims after merging, at least 1 */
  int n;    /* operands */
  int64_t dim[FEW_MAX_RANK];
  int64_t stride[FEW_PROGRAM_LEAVES + 1][FEW_MAX_RANK];
};

/* Strides of a dense operand of shape s broadcast to `whole`. */
static inline void sweep_broadcast(int64_t *stride, struct few_shape s, struct few_shape whole) {
  assert(s.rank == 0 || s.rank == whole.rank);
  int64_t step = 1;
  for (int k = whole.rank - 1; k >= 0; k--) {
    const int64_t d = s.rank == 0 ? 1 : s.dim[k];
    assert(d == 1 || d == whole.dim[k]);
    stride[k] = d == 1 ? 0 : step;
    step *= d;
  }
}

/* Merges the dims of `shape`. w->n and w->stride[operand][dim of shape] must be set. */
static inline void sweep_merge(struct sweep *w, struct few_shape shape) {
  int r = 0;
  for (int k = 0; k < shape.rank; k++) {
    int64_t d = shape.dim[k];
    if (d == 1) continue;
    bool joins = r > 0;
    for (int o = 0; joins && o < w->n; o++) joins = w->stride[o][r - 1] == w->stride[o][k] * d;
    if (joins) d *= w->dim[--r];
    w->dim[r] = d;
    for (int o = 0; o < w->n; o++) w->stride[o][r] = w->stride[o][k];
    r++;
  }
  if (r == 0) {
    w->dim[r++] = 1;
    for (int o = 0; o < w->n; o++) w->stride[o][0] = 0;
  }
  w->rank = r;
}

static inline bool sweep_empty(struct few_shape s) {
  for (int k = 0; k < s.rank; k++)
    if (s.dim[k] == 0) return true;
  return false;
}

/* Elements in the first `rank` dims. */
static inline int64_t sweep_count(const struct sweep *w, int rank) {
  int64_t n = 1;
  for (int k = 0; k < rank; k++) n *= w->dim[k];
  return n;
}

/* The offset of operand o at index `at` of the first `rank` dims, counted row-major. */
static inline int64_t sweep_at(const struct sweep *w, int o, int rank, int64_t at) {
  int64_t offset = 0;
  for (int k = rank - 1; k >= 0; k--) {
    offset += at % w->dim[k] * w->stride[o][k];
    at /= w->dim[k];
  }
  return offset;
}

#endif
