/* ema.h - moving averages of the parameters: by half-life, by power function, and after the fact.
 *
 * `seen` is the number of images trained on, including those of the current step's batch.
 */
#ifndef FEW_SRC_OPTIM_EMA_H
#define FEW_SRC_OPTIM_EMA_H

#include "base/base.h"

/* ema = beta ema + (1 - beta) p for n elements, computed so that ema does not change if ema = p. */
void few__ema_update(double beta, int64_t n, float *ema, const float *p);

/* beta of an exponential average in which a weight decays by half in `half_life` images. ramp > 0
 * (EDM uses 0.05) limits the half-life to ramp * seen; 0: no limit. half_life 0: no averaging. */
double few__ema_beta_half_life(double half_life, double ramp, double seen, double batch);

/* The power-function average of EDM2 has weights proportional to tau^gamma. few__ema_sigma_rel
 * gives its width relative to the run, in (0, 0.288], for an exponent gamma >= 0; few__ema_gamma is
 * its inverse; few__ema_beta_power gives beta for a step. */
double few__ema_sigma_rel(double gamma);
double few__ema_gamma(double sigma_rel);
double few__ema_beta_power(double gamma, double seen, double batch);

/* The profile of a stored average: its exponent, and the images seen when it was stored. */
struct few_ema_profile {
  double gamma, seen;
};
/* Inner product of two profiles as functions of the image count. */
double few__ema_dot(struct few_ema_profile a, struct few_ema_profile b);
/* Weights x[0..n-1], of sum 1, such that the weighted sum of the stored profiles is closest to
 * `target` in L2. Fails if two stored profiles are (nearly) the same. */
few_status few__ema_posthoc(few_ctx *ctx, int n, const struct few_ema_profile *stored,
                            struct few_ema_profile target, double *x);

#endif
