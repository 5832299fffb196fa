/* provenance.h - where a model comes from, as its file tells it (docs/format.md, `provenance`). */
#ifndef FEW_SRC_TRAIN_PROVENANCE_H
#define FEW_SRC_TRAIN_PROVENANCE_H

#include "setup.h"

/* *text, freed if it was set, becomes the JSON object after `step` steps. The same for any number
 * of workers: keys that leave what is learned alone are not in it. */
few_status few__provenance(few_ctx *ctx, const struct few_setup *setup, int64_t step, char **text);

#endif
