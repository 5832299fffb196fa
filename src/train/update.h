/* update.h - after a gradient: the optimizer's step, the averages, the start of a stage. */
#ifndef FEW_SRC_TRAIN_UPDATE_H
#define FEW_SRC_TRAIN_UPDATE_H

#include "shard.h"
#include "state.h"

/* Apply a gradient of norm `norm` to its range of parameters, at learning rate lr, and update the
 * student's average. s->step counts this step already. */
void few__update(struct few_run_state *s, const struct few_config *c,
                 const struct few_gradient *grad, double norm, double lr);
/* After few__update: update a target that is an average. */
void few__follow(struct few_run_state *s, const struct few_config *c);
/* Before the first step of each stage but the first: the student as it would be saved becomes the
 * target and the start of a new optimization. */
void few__begin_stage(struct few_run_state *s);

#endif
