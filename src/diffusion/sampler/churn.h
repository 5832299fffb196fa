/* churn.h - EDM's fresh noise during sampling (Karras et al., arXiv 2206.00364, algorithm 2).
 *
 * Each of the N steps that begins at a sigma in [S_min, S_max] first raises the noise level to
 * (1 + gamma) sigma, with gamma = min(S_churn/N, sqrt 2 - 1). The deviation of the added noise is
 * multiplied by S_noise.
 */
#ifndef FEW_SRC_SAMPLER_CHURN_H
#define FEW_SRC_SAMPLER_CHURN_H

#include "sampler.h"

struct few_churn_opts {
  double churn, churn_min, churn_max, churn_noise;
};
#define FEW_CHURN_OPTIONS                                                \
  FEW_OPT_REAL(struct few_churn_opts, churn, "0", 0, 1e6,                \
               "S_churn: amount of fresh noise; 0: none"),               \
      FEW_OPT_REAL(struct few_churn_opts, churn_min, "0", 0, 1e9,        \
                   "S_min: smallest sigma with fresh noise"),            \
      FEW_OPT_REAL(struct few_churn_opts, churn_max, "inf", 0, INFINITY, \
                   "S_max: largest sigma with fresh noise"),             \
      FEW_OPT_REAL(struct few_churn_opts, churn_noise, "1", 0, 10,       \
                   "S_noise: size of the fresh noise")

/* Adds the noise of step k to s->x and returns the time of the new state. z [rows x dims] is
 * scratch. */
double few__churn(struct few_sampling *s, const struct few_churn_opts *o, int k, float *z);

#endif
