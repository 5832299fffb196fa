/* ema.h - moving averages of the parameters: by half-life, by power function, and after the fact.
 *
 * `seen` is the number of images trained on at the END of the step, its batch included.
 */
#ifndef FEW_SRC_OPTIM_EMA_H
#define FEW_SRC_OPTIM_EMA_H

#include "base/base.h"

/* ema = beta ema + (1 - beta) p on n elements, written so that ema = p is a fixed point. */
void few__ema_update(double beta, int64_t n, float *ema, const float *p);

/* beta of an EMA that forgets half in `half_life` images. ramp > 0 (EDM uses 0.05) shortens the
 * half-life to ramp * seen early in a run; 0: no ramp. half_life 0: no averaging. */
double few__ema_beta_half_life(double half_life, double ramp, double seen, double batch);

/* The power-function EMA of EDM2: weights proportional to tau^gamma over a run of any length.
 * Its width relative to the run, sigma_rel in (0, 0.288), and the exponent gamma >= 0. */
double few__ema_sigma_rel(double gamma);
double few__ema_gamma(double sigma_rel);
double few__ema_beta_power(double gamma, double seen, double batch);

/* A stored average: its exponent and how far the run was. */
struct few_ema_profile {
  double gamma, seen;
};
/* Inner product of two profiles as functions of the image count. */
double few__ema_dot(struct few_ema_profile a, struct few_ema_profile b);
/* Weights x[0..n-1], of sum 1, of the stored averages whose combination comes closest (in L2, as
 * profiles) to `target`. Fails if two stored profiles are (nearly) the same. */
few_status few__ema_posthoc(few_ctx *ctx, int n, const struct few_ema_profile *stored,
                            struct few_ema_profile target, double *x);

#endif
