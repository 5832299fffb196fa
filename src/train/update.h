/* update.h - what follows a gradient: the optimizer's step, the averages, the turn of a stage. */
#ifndef FEW_SRC_TRAIN_UPDATE_H
#define FEW_SRC_TRAIN_UPDATE_H

#include "shard.h"
#include "state.h"

/* Apply a gradient of norm `norm` to its range of parameters at learning rate lr; the student's
 * average follows, s->step being the number of steps with this one. */
void few__update(struct few_run_state *s, const struct few_config *c,
                 const struct few_gradient *grad, double norm, double lr);
/* After that, a target that is an average. */
void few__follow(struct few_run_state *s, const struct few_config *c);
/* Before the first step of a stage but the first: the student as it is saved becomes the target and
 * the start of a new optimization. */
void few__begin_stage(struct few_run_state *s);

#endif
