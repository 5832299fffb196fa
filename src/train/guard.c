/* guard.c - see guard.h. */
#include "guard.h"

#include <inttypes.h>
#include <math.h>

static const double memory = 0.98; /* decay per update of the usual norm, a moving average */
enum { TRUSTED = 50 };             /* updates before a norm can count as a spike */

enum few_verdict few__guard_look(struct few_run_state *s, const struct few_train_keys *k,
                                 double loss, double norm) {
  assert(k->guard_patience > 0 && s->spikes >= 0);
  if (!isfinite(loss) || !isfinite(norm)) return FEW_GUARD_TROUBLE;
  if (s->updates >= TRUSTED && norm > k->guard_spike * s->usual_norm && s->usual_norm > 0) {
    s->spikes++;
    return s->spikes >= k->guard_patience ? FEW_GUARD_TROUBLE : FEW_GUARD_SPIKE;
  }
  s->spikes = 0;
  if (norm > 0)
    s->usual_norm =
        s->usual_norm > 0 ? exp(memory * log(s->usual_norm) + (1 - memory) * log(norm)) : norm;
  return FEW_GUARD_FINE;
}

few_status few__guard_retry(few_ctx *ctx, struct few_run_state *s, const struct few_train_keys *k,
                            int64_t retries, int64_t failed_step, const char *why) {
  if (retries > k->guard_retries)
    return few__fail(ctx, FEW_E_DIVERGED,
                     "training diverged at step %" PRId64 " (%s) after %" PRId64
                     " roll-backs: lower lr, lengthen lr_warmup or tangent_warmup, or set clip",
                     failed_step, why, k->guard_retries);
  assert(retries > 0);
  s->retries = retries;
  s->lr_factor = ldexp(1, -(int)retries);
  s->stretch = ldexp(1, (int)retries);
  s->spikes = 0;
  return FEW_OK;
}
