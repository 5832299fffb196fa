/* moments.c - the update of optimizers like Adam, in one pass.
 *
 *   m = beta1 m + (1 - beta1) g
 *   v = beta2 v + (1 - beta2) g^2
 *   p = (1 - lr wd) p - rate m / (root_scale sqrt(v) + eps)
 *
 * or, if not `adaptive`, p = (1 - lr wd) p - rate m. These optimizers differ only in `rate`,
 * `root_scale` and `adaptive`, which are the same for all elements of a step. The update is one
 * pass because memory limits its speed: it reads four arrays and writes three.
 */
#include "moments.h"

#include <math.h>

void few__moments_prepare(const struct few_optim_opts *o, double lr, double grad_scale,
                          struct few_moments_coef *out) {
  *out = (struct few_moments_coef){.grad_scale = (float)grad_scale,
                                   .beta1 = (float)o->beta1,
                                   .fresh1 = (float)(1 - o->beta1),
                                   .beta2 = (float)o->beta2,
                                   .fresh2 = (float)(1 - o->beta2),
                                   .keep = (float)(1 - lr * o->weight_decay),
                                   .rate = (float)lr,
                                   .root_scale = 1,
                                   .eps = (float)o->eps,
                                   .adaptive = true};
}

void few__moments_update(const struct few_moments_coef *coef, int64_t n, float *restrict p,
                         const float *restrict g, float *const state[]) {
  const struct few_moments_coef c = *coef;
  float *restrict m = state[0], *restrict v = state[1];
  if (!c.adaptive) {
    for (int64_t i = 0; i < n; i++) {
      float gi = c.grad_scale * g[i];
      m[i] = c.beta1 * m[i] + c.fresh1 * gi;
      v[i] = c.beta2 * v[i] + c.fresh2 * gi * gi;
      p[i] = c.keep * p[i] - c.rate * m[i];
    }
    return;
  }
  for (int64_t i = 0; i < n; i++) {
    float gi = c.grad_scale * g[i];
    float mi = c.beta1 * m[i] + c.fresh1 * gi, vi = c.beta2 * v[i] + c.fresh2 * gi * gi;
    m[i] = mi;
    v[i] = vi;
    p[i] = c.keep * p[i] - c.rate * mi / (c.root_scale * sqrtf(vi) + c.eps);
  }
}
