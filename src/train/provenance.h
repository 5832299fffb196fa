/* provenance.h - where a model comes from, as recorded in its file (docs/format.md,
 * `provenance`). */
#ifndef FEW_SRC_TRAIN_PROVENANCE_H
#define FEW_SRC_TRAIN_PROVENANCE_H

#include "setup.h"

/* Replaces *text (freed if not NULL) by the JSON object of a model after `step` steps. Keys of the
 * recipe that do not change what is learned, such as workers, are left out. */
few_status few__provenance(few_ctx *ctx, const struct few_setup *setup, int64_t step, char **text);

#endif
