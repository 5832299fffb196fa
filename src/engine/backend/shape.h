/* shape.h - counts of elements, for kernels of C and of CUDA C++. */
#ifndef FEW_SRC_BACKEND_SHAPE_H
#define FEW_SRC_BACKEND_SHAPE_H

#include "few/graph.h"

static inline int64_t count_of(struct few_shape s) {
  int64_t n = 1;
  for (int k = 0; k < s.rank; k++) n *= s.dim[k];
  return n;
}

/* Elements before and after an axis: a tensor is [outer, dim[axis], inner]. */
static inline int64_t outer_of(struct few_shape s, int axis) {
  int64_t n = 1;
  for (int k = 0; k < axis; k++) n *= s.dim[k];
  return n;
}
static inline int64_t inner_of(struct few_shape s, int axis) {
  int64_t n = 1;
  for (int k = axis + 1; k < s.rank; k++) n *= s.dim[k];
  return n;
}

#endif
