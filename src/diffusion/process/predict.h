/* predict.h - what a network may predict, as mixes of image and noise.
 *
 * Every prediction of a denoising network is a mix of the clean image and the noise,
 *
 *   y = p x0 + q eps,   eps ~ N(0, I),
 *
 * and so is its input, x_t = alpha x0 + sigma eps. Two mixes of the same two unknowns determine a
 * third, which is linear in (x_t, y): this converts between x, eps, v and F. Expectations given x_t
 * obey the same line, so it holds for networks as for exact values.
 */
#ifndef FEW_SRC_PREDICT_H
#define FEW_SRC_PREDICT_H

#include "base/base.h"
#include "few/ext/steps.h"

const char *few__predict_name(enum few_prediction p);
const char *few__predict_source(enum few_prediction p);
const char *few__predict_help(enum few_prediction p);
few_status few__predict_find(few_ctx *ctx, enum few_prediction *out, const char *name);

/* The mix that prediction p < FEW_PREDICT_MIXES means at the state x_t = state.x0 x0 + state.eps
 * eps. */
struct few_mix few__predict_mix(enum few_prediction p, double sigma_d, struct few_mix state);

#endif
