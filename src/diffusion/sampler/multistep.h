/* multistep.h - the step of DPM-Solver-2 and DPM-Solver++ (2M): DDIM's, with a quantity q that is
 * extrapolated linearly from the previous step. */
#ifndef FEW_SRC_MULTISTEP_H
#define FEW_SRC_MULTISTEP_H

#include "sampler.h"

struct few_multistep {
  struct few_line (*q)(double sigma_d, double t);          /* q as a combination of x_t and F */
  double (*weight)(double before, double from, double to); /* factor of q(before) - q(from) */
};

/* Runs all steps. The first step, and steps of weight 0, are DDIM's. */
few_status few__multistep(few_ctx *ctx, struct few_sampling *s, const struct few_multistep *m);

#endif
