/* preview.h - grids of images that the student makes during a run. */
#ifndef FEW_SRC_TRAIN_PREVIEW_H
#define FEW_SRC_TRAIN_PREVIEW_H

#include "few/run.h"
#include "run_log.h"
#include "setup.h"

/* Called before the first step. FEW_E_INVALID if the run has previews and they cannot be sampled,
 * or if it has none and the student cannot be sampled at all. */
few_status few__preview_check(few_ctx *ctx, few_model *m, const struct few_setup *setup);
/* Logs a warning if the run's previews cost more than half of its training. `step_flops`:
 * operations of one step. */
few_status few__preview_announce(few_ctx *ctx, few_model *m, const struct few_setup *setup,
                                 double step_flops);
/* Is there a DIR/preview-<step>.png? True for a run in memory (dir NULL), which has no previews. */
few_status few__preview_there(few_ctx *ctx, int64_t step, const char *dir, bool *out);
/* Writes DIR/preview-<step>.png, and adds it to TensorBoard's events. Nothing is written for an
 * encoder, which makes no images, and for a run in memory. */
few_status few__preview(few_ctx *ctx, few_model *m, few_runner *runner,
                        const struct few_train_keys *k, int64_t step, const char *dir,
                        struct few_run_log *log);

#endif
