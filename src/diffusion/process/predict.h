/* predict.h - what a network may predict, and turning one prediction into another.
 *
 * Everything a denoising network is asked for is a mix of the clean image and the noise,
 *
 *   y = p x0 + q eps,   eps ~ N(0, I),
 *
 * and so is its input, x_t = alpha x0 + sigma eps. Two mixes of the same two unknowns determine a
 * third: that is all there is to converting between x, eps, v and F, and it is linear in (x_t, y).
 * Expectations given x_t obey the same line, so it holds for networks as for the exact values.
 */
#ifndef FEW_SRC_PREDICT_H
#define FEW_SRC_PREDICT_H

#include "base/base.h"
#include "few/ext/steps.h"

const char *few__predict_name(enum few_prediction p);
const char *few__predict_source(enum few_prediction p);
const char *few__predict_help(enum few_prediction p);
few_status few__predict_find(few_ctx *ctx, enum few_prediction *out, const char *name);

/* The mix that p < FEW_PREDICT_MIXES stands for where the state is x_t = state.x0 x0 + state.eps
 * eps. */
struct few_mix few__predict_mix(enum few_prediction p, double sigma_d, struct few_mix state);

#endif
