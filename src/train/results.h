/* results.h - what a run leaves behind: its model, and pictures on the way. */
#ifndef FEW_SRC_TRAIN_RESULTS_H
#define FEW_SRC_TRAIN_RESULTS_H

#include "recipe.h"

/* DIR/model.safetensors after `step` steps, with its provenance. */
few_status few__write_model(few_ctx *ctx, few_model *m, const struct few_run_recipe *r,
                            int64_t step, const char *dir);
/* What a preview would refuse at the run's first stage, before the first step; where there are
 * none, a student that nothing could sample. */
few_status few__preview_check(few_ctx *ctx, few_model *m, const struct few_run_recipe *r);
/* DIR/preview-<step>.png; an encoder makes no pictures, and none is written. */
few_status few__preview(few_ctx *ctx, few_model *m, const struct few_train_keys *k, int64_t step,
                        const char *dir);

#endif
