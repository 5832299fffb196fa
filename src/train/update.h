/* update.h - how a gradient changes the state: the optimizer's step, the averages, and the start of
 * a stage. */
#ifndef FEW_SRC_TRAIN_UPDATE_H
#define FEW_SRC_TRAIN_UPDATE_H

#include "shard.h"
#include "state.h"

/* Applies a gradient of norm `norm` to its range of parameters, at learning rate lr, and updates
 * the student's average. s->step counts this step already. */
void few__update(struct few_run_state *s, const struct few_config *c,
                 const struct few_gradient *grad, double norm, double lr);
/* Updates a target network that is an average. Call it after few__update. */
void few__follow(struct few_run_state *s, const struct few_config *c);
/* Call this before the first step of each stage except the first. The student, as it would be
 * saved, becomes the target, and the optimization starts again from it. */
void few__begin_stage(struct few_run_state *s);

#endif
