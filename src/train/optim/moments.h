/* moments.h - the update that Adam and RAdam share. */
#ifndef FEW_SRC_OPTIM_MOMENTS_H
#define FEW_SRC_OPTIM_MOMENTS_H

#include "optim.h"

/* Fills in the coefficients that are computed alike for all optimizers with this update. */
void few__moments_prepare(const struct few_optim_opts *o, double lr, double grad_scale,
                          struct few_moments_coef *out);
void few__moments_update(const struct few_moments_coef *c, int64_t n, float *p, const float *g,
                         float *const state[]);

#endif
