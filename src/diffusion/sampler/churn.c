/* churn.c - see churn.h. */
#include "churn.h"

#include <math.h>

double few__churn(struct few_sampling *s, const struct few_churn_opts *o, int k, float *z) {
  const double most = 0.41421356237309515; /* sqrt 2 - 1 */
  const double t = s->t[k], sigma = s->sigma_d * tan(t), gamma = fmin(o->churn / s->steps, most);
  if (!(gamma > 0 && sigma >= o->churn_min && sigma <= o->churn_max)) return t;
  const double up = atan((1 + gamma) * tan(t));
  if (!(up > t)) return t; /* pure noise already */
  struct few_line line = few_step_renoise(s->sigma_d, t, up);
  line.y *= o->churn_noise;
  few_sampling_noise(z, s, k + 1);
  few_sampling_line(s->x, s, line, s->x, z);
  return up;
}
