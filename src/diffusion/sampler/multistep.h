/* multistep.h - what DPM-Solver-2 and DPM-Solver++ (2M) share: DDIM's step, and a quantity q that
 * is extrapolated linearly from the step before. */
#ifndef FEW_SRC_MULTISTEP_H
#define FEW_SRC_MULTISTEP_H

#include "sampler.h"

struct few_multistep {
  struct few_line (*q)(double sigma_d, double t);          /* of x_t and F */
  double (*weight)(double before, double from, double to); /* of q(before) - q(from), to be added */
};

/* The first step, and a step of weight 0, are DDIM's. */
few_status few__multistep(few_ctx *ctx, struct few_sampling *s, const struct few_multistep *m);

#endif
