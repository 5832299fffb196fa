/* labels.h - which class each of a set of samples has.
 *
 * Samples that are measured must have the classes of what they are measured against as often as it
 * has them: where 90 % are of one class, a perfect model of evenly drawn labels is far off.
 */
#ifndef FEW_SRC_MODEL_LABELS_H
#define FEW_SRC_MODEL_LABELS_H

#include "base/base.h"

/* How often each class occurs among the data. */
struct few_shares {
  int64_t classes;
  const int64_t *count; /* [classes], each 0 to 2^31 - 1, not all 0; NULL: even */
};

/* Labels of samples first .. first + n - 1 of an endless series. Its first N samples, for every N,
 * have each class as often as Sainte-Lague's rule gives it seats: N count/total, off by less than
 * one but in rare cases, and exact where N is a multiple of the total. Equal counts give 0, 1, 2 ..
 * in turn; a class of count 0 does not occur. A sample's label depends on its index and the shares
 * alone. */
few_status few__labels(few_ctx *ctx, const struct few_shares *s, int64_t first, int64_t n,
                       int32_t *out);

/* out[classes]: 1 where the count is above 0: each class that occurs as often as any other. */
void few__labels_even(const struct few_shares *s, int64_t *out);

#endif
