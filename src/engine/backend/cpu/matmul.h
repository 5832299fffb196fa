/* matmul.h - the shapes of a MATMUL. */
#ifndef FEW_SRC_CPU_MATMUL_H
#define FEW_SRC_CPU_MATMUL_H

#include "cpu.h"

/* `count` products [m x n] = [m x k] [k x n]; ta, tb: a factor is stored transposed. Products
 * follow one another in a and in the result, and are b_step apart in b. If all share b, they are
 * one product with more rows. */
struct few_matmul {
  int64_t count, m, n, k, lda, ldb, b_step;
  bool ta, tb;
};

static inline struct few_matmul few__matmul_of(const struct few_call *c) {
  const struct few_shape a = c->in[0].shape, b = c->in[1].shape;
  const int r = a.rank;
  struct few_matmul p = {
      .count = 1, .ta = c->node->attr.matmul.ta != 0, .tb = c->node->attr.matmul.tb != 0};
  assert(r >= 2 && (b.rank == r || b.rank == 2));
  p.m = c->shape.dim[r - 2];
  p.n = c->shape.dim[r - 1];
  p.k = a.dim[p.ta ? r - 2 : r - 1];
  p.lda = a.dim[r - 1];
  p.ldb = b.dim[b.rank - 1];
  for (int i = 0; i < r - 2; i++) p.count *= a.dim[i];
  p.b_step = b.rank == r ? p.k * p.n : 0;
  if (b.rank == 2 && !p.ta) {
    p.m *= p.count;
    p.count = 1;
  }
  return p;
}

#endif
