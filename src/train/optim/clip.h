/* clip.h - the global norm of a gradient, and the factor that limits it. */
#ifndef FEW_SRC_OPTIM_CLIP_H
#define FEW_SRC_OPTIM_CLIP_H

#include "base/base.h"
#include "base/workers.h"

/* Sum of squares of n floats in f64: fixed chunks, combined in a fixed binary tree, so the bits do
 * not depend on the workers (NULL: in the calling thread). The square of a finite float and any sum
 * of fewer than 2^700 of them are finite in f64: the result is finite exactly if every element
 * is. */
few_status few__sumsq(few_ctx *ctx, few_workers *w, int64_t n, const float *g, double *out);

/* Sum of a[0..n-1] in a fixed binary tree; a is overwritten. 0 for n = 0. */
double few__sum_tree(double *a, int64_t n);

/* What to multiply a gradient of norm `norm` by so that it is at most `limit`; limit <= 0: none.
 * 0 for a norm that is not finite, but note that 0 * inf is NaN: skip such a step instead. */
double few__clip_scale(double norm, double limit);

#endif
