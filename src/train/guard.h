/* guard.h - sees when training leaves the ground.
 *
 * A loss or gradient that is not finite is trouble at once; a gradient norm far above its usual
 * (geometric) mean is a spike, and a few spikes in a row are trouble. Trouble means: back to the
 * last good checkpoint with half the learning rate and warm-ups twice as long, a bounded number of
 * times. Nothing is silently set to zero.
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
/* After the last checkpoint has been read back: lower the learning rate, lengthen warm-ups.
 * `retries` counts across roll-backs. FEW_E_DIVERGED when there were enough. */
few_status few__guard_retry(few_ctx *ctx, struct few_run_state *s, const struct few_train_keys *k,
                            int64_t retries, int64_t failed_step, const char *why);

#endif
