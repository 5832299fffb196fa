/* clip.h - the global norm of a gradient, and the factor that limits it. */
#ifndef FEW_SRC_OPTIM_CLIP_H
#define FEW_SRC_OPTIM_CLIP_H

#include "base/base.h"
#include "base/workers.h"

/* Sum of squares of n floats, in f64. Fixed chunks are added in a fixed binary tree, so the bits do
 * not depend on the number of workers (w NULL: the calling thread does it). The result is finite
 * exactly if every element is, since no sum of squares of floats overflows in f64. */
few_status few__sumsq(few_ctx *ctx, few_workers *w, int64_t n, const float *g, double *out);

/* Sum of a[0..n-1] in a fixed binary tree; a is overwritten. 0 for n = 0. */
double few__sum_tree(double *a, int64_t n);

/* The factor in (0, 1] that reduces a gradient's norm to at most `limit`. 1 if limit <= 0. If
 * `norm` is not finite, it is 0; skip such a step, because 0 * inf is NaN. */
double few__clip_scale(double norm, double limit);

#endif
