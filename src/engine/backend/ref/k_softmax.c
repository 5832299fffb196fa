/* k_softmax.c - y = exp(x - max x) / sum exp(x - max x) over the last axis. Subtracting the maximum
 * keeps exp from overflowing and changes nothing else.
 */
#include "real.h"

void K(softmax)(const struct few_call *c) {
  assert(c->shape.rank >= 1);
  const int64_t n = c->shape.dim[c->shape.rank - 1], rows = outer_of(c->shape, c->shape.rank - 1);
  const real *x = c->in[0].data;
  real *y = c->out;
  for (int64_t r = 0; r < rows && n > 0; r++, x += n, y += n) {
    real max = x[0];
    for (int64_t k = 1; k < n; k++) max = x[k] > max ? x[k] : max;
    double sum = 0;
    for (int64_t k = 0; k < n; k++) sum += y[k] = REAL_MATH(exp)(x[k] - max);
    for (int64_t k = 0; k < n; k++) y[k] = (real)(y[k] / sum);
  }
}

NO_SCRATCH(softmax)
