/* numbers.h - labels in files. */
#ifndef FEW_SRC_DATA_NUMBERS_H
#define FEW_SRC_DATA_NUMBERS_H

#include "base/base.h"

/* Labels as they are written: where every class is called by a number of its own (names[n_classes]
 * hold only digits), label[n] become those numbers, so that a class is the same in every file;
 * otherwise they stay what they are. names may be NULL; -1 stays. */
few_status few__labels_by_number(few_ctx *ctx, const char *const *names, int64_t n_classes,
                                 int32_t *label, int64_t n);

#endif
