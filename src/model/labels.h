/* labels.h - the class of each sample.
 *
 * Samples that are compared with a reference must have its class shares. If 90 % of the reference
 * are of one class, even a perfect model is far from it if all classes are sampled equally often.
 */
#ifndef FEW_SRC_MODEL_LABELS_H
#define FEW_SRC_MODEL_LABELS_H

#include "base/base.h"

/* How often each class occurs in the data. */
struct few_shares {
  int64_t classes;
  const int64_t *count; /* [classes], each 0 to 2^31 - 1, not all 0; NULL: all equal */
};

/* Labels of samples first .. first + n - 1 of an endless series. For every N, a class occurs among
 * the first N samples as often as Sainte-Lague's rule gives it seats: N count/total, rarely off by
 * one or more, and exactly so if N is a multiple of the total. With equal counts the labels are 0,
 * 1, 2 .. in turn. A class of count 0 does not occur. The label of a sample depends only on its
 * index and the shares. */
few_status few__labels(few_ctx *ctx, const struct few_shares *s, int64_t first, int64_t n,
                       int32_t *out);

/* Shares by which all classes that occur do so equally often: out[classes] is 1 for each class of
 * nonzero count, otherwise 0. */
void few__labels_even(const struct few_shares *s, int64_t *out);

#endif
