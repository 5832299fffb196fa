/* numbers.h - converts class numbers to the labels that are written to files. */
#ifndef FEW_SRC_DATA_NUMBERS_H
#define FEW_SRC_DATA_NUMBERS_H

#include "base/base.h"

/* Converts labels for a file. If the names[n_classes] of all classes are numbers, each label[n] is
 * replaced by the number that its class is called, so that a class has the same number in every
 * file. Otherwise labels are unchanged. names may be NULL; -1 is unchanged. */
few_status few__labels_by_number(few_ctx *ctx, const char *const *names, int64_t n_classes,
                                 int32_t *label, int64_t n);

#endif
