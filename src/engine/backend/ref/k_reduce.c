/* k_reduce.c - broadcast, and its transpose, sum. Both walk over the larger shape; the smaller one
 * has stride 0 along its dims of length 1.
 */
#include "real.h"
#include "walk.h"

void K(broadcast)(const struct few_call *c) {
  struct walk w = {0};
  broadcast_strides(c->in[0].shape, c->shape, w.stride[0]);
  walk_start(&w, c->shape);
  real *out = c->out;
  for (int64_t row = 0; row < w.rows; row++) {
    const real *x = (const real *)c->in[0].data + walk_at(&w, 0, row);
    for (int64_t j = 0; j < w.len; j++) *out++ = x[j * w.step[0]];
  }
}

NO_SCRATCH(broadcast)

/* Adds in double, so that long sums of f32 lose nothing. */
void K(sum)(const struct few_call *c) {
  struct walk w = {0};
  broadcast_strides(c->shape, c->in[0].shape, w.stride[0]);
  walk_start(&w, c->in[0].shape);
  const real *x = c->in[0].data;
  double *total = c->scratch;
  const int64_t n = count_of(c->shape);
  for (int64_t k = 0; k < n; k++) total[k] = 0;
  for (int64_t row = 0; row < w.rows; row++) {
    double *to = total + walk_at(&w, 0, row);
    for (int64_t j = 0; j < w.len; j++) to[j * w.step[0]] += *x++;
  }
  real *out = c->out;
  for (int64_t k = 0; k < n; k++) out[k] = (real)total[k];
}

size_t K(sum_scratch)(const struct few_call *c) {
  return (size_t)count_of(c->shape) * sizeof(double);
}
