/* adapter.c - applies convert.h to arrays: scales the input, evaluates the network, combines. */
#include "adapter.h"

few_status adapter_eval(void *user, const float *x, double t, double to, float *F) {
  FEW_UNUSED(to);
  const struct adapter *a = user;
  struct to_trig c = to_trig(a->process, a->predicts, a->sigma_d, t);
  for (int64_t i = 0; i < a->n; i++) a->scratch[i] = (float)(c.in_scale * (double)x[i]);
  FEW_TRY(a->net(a->user, a->scratch, c.net_time, F));
  for (int64_t i = 0; i < a->n; i++) F[i] = (float)(c.skip * (double)x[i] + c.out * (double)F[i]);
  return FEW_OK;
}
