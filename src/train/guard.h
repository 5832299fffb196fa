/* guard.h - detects divergence.
 *
 * A loss or gradient that is not finite is trouble at once. A gradient norm far above its moving
 * geometric mean is a spike: its update is skipped, and some spikes in a row are trouble. On
 * trouble the run goes back to its last good milestone, with half the learning rate and warm-ups
 * twice as long. It does so at most guard_retries times.
 */
#ifndef FEW_SRC_TRAIN_GUARD_H
#define FEW_SRC_TRAIN_GUARD_H

#include "config.h"
#include "state.h"

enum few_verdict {
  FEW_GUARD_FINE,
  FEW_GUARD_SPIKE,  /* skip this update */
  FEW_GUARD_TROUBLE /* roll back */
};

enum few_verdict few__guard_look(struct few_run_state *s, const struct few_train_keys *k,
                                 double loss, double norm);
/* Call this after a checkpoint was read back: it lowers the learning rate and lengthens warm-ups.
 * `retries` counts roll-backs, this one included. FEW_E_DIVERGED if there were too many. */
few_status few__guard_retry(few_ctx *ctx, struct few_run_state *s, const struct few_train_keys *k,
                            int64_t retries, int64_t failed_step, const char *why);

#endif
