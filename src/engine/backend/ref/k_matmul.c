/* k_matmul.c - out[i,j] = sum_k a[i,k] b[k,j] for each leading index. Either operand may be read
 * transposed. A b of rank 2 is used for every leading index of a.
 */
#include "real.h"

struct product {
  int64_t m, n, k;
  bool ta, tb;
};

/* The loops are ordered so that the innermost one is contiguous in b and out. */
static void product(struct product p, const real *a, const real *b, real *out) {
  const int64_t row = p.ta ? 1 : p.k, col = p.ta ? p.m : 1; /* steps in a along i and k */
  for (int64_t i = 0; i < p.m; i++, out += p.n) {
    clear(out, p.n);
    if (p.tb) {
      for (int64_t j = 0; j < p.n; j++)
        for (int64_t k = 0; k < p.k; k++) out[j] += a[i * row + k * col] * b[j * p.k + k];
    } else {
      for (int64_t k = 0; k < p.k; k++)
        for (int64_t j = 0; j < p.n; j++) out[j] += a[i * row + k * col] * b[k * p.n + j];
    }
  }
}

void K(matmul)(const struct few_call *c) {
  const struct few_shape as = c->in[0].shape, bs = c->in[1].shape;
  const int r = as.rank;
  struct product p = {.ta = c->node->attr.matmul.ta != 0, .tb = c->node->attr.matmul.tb != 0};
  assert(r >= 2 && (bs.rank == r || bs.rank == 2));
  p.m = c->shape.dim[r - 2];
  p.n = c->shape.dim[r - 1];
  p.k = as.dim[p.ta ? r - 2 : r - 1];
  assert(p.k == bs.dim[p.tb ? bs.rank - 1 : bs.rank - 2]);
  const int64_t leading = outer_of(c->shape, r - 2);
  const int64_t b_step = bs.rank == r ? p.k * p.n : 0;
  const real *a = c->in[0].data, *b = c->in[1].data;
  real *out = c->out;
  for (int64_t l = 0; l < leading; l++)
    product(p, a + l * p.m * p.k, b + l * b_step, out + l * p.m * p.n);
}

NO_SCRATCH(matmul)
