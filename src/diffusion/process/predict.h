/* predict.h - the predictions of networks, as mixes of image and noise.
 *
 * Every prediction of a denoising network is a mix of the clean image and the noise,
 *
 *   y = p x0 + q eps,   eps ~ N(0, I),
 *
 * and so is its input, x_t = alpha x0 + sigma eps. Two such mixes determine any third, which is
 * linear in (x_t, y). This converts between x, eps, v and F. Since expectations given x_t obey the
 * same linear equation, it also holds for what networks predict.
 */
#ifndef FEW_SRC_PREDICT_H
#define FEW_SRC_PREDICT_H

#include "base/base.h"
#include "few/ext/steps.h"

const char *few__predict_name(enum few_prediction p);
const char *few__predict_source(enum few_prediction p);
const char *few__predict_help(enum few_prediction p);
few_status few__predict_find(few_ctx *ctx, enum few_prediction *out, const char *name);

/* The mix of prediction p < FEW_PREDICT_MIXES at the state x_t = state.x0 x0 + state.eps eps. */
struct few_mix few__predict_mix(enum few_prediction p, double sigma_d, struct few_mix state);

#endif
