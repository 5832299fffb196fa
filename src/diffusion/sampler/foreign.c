/* foreign.c - scale, ask, combine: process/convert.h applied to arrays. */
#include "foreign.h"

few_status few__foreign_eval(void *user, const float *x, double t, double to, float *F) {
  FEW_UNUSED(to);
  const struct few_foreign *f = user;
  struct few_to_trig c = few__to_trig(f->process, f->predicts, f->sigma_d, t);
  for (int64_t i = 0; i < f->n; i++) f->scratch[i] = (float)(c.in_scale * (double)x[i]);
  FEW_TRY(f->net(f->user, f->scratch, c.net_time, F));
  for (int64_t i = 0; i < f->n; i++) F[i] = (float)(c.skip * (double)x[i] + c.out * (double)F[i]);
  return FEW_OK;
}
