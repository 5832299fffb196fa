/* update.h - what follows a gradient: the optimizer's step and the averaged weights. */
#ifndef FEW_SRC_TRAIN_UPDATE_H
#define FEW_SRC_TRAIN_UPDATE_H

#include "state.h"

/* Apply gradient `grad` of norm `norm` at learning rate lr; s->step already counts this step. */
void few__update(struct few_run_state *s, const struct few_run_recipe *r, few_workers *workers,
                 const float *grad, double norm, double lr);

#endif
