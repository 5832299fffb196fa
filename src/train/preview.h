/* preview.h - what the run makes so far. */
#ifndef FEW_SRC_TRAIN_PREVIEW_H
#define FEW_SRC_TRAIN_PREVIEW_H

#include "setup.h"

/* What a preview would refuse at the run's first stage, before the first step; where there are
 * none, a student that nothing could sample. */
few_status few__preview_check(few_ctx *ctx, few_model *m, const struct few_setup *setup);
/* Log a warning where the previews of the run cost more than half as much as its training, whose
 * steps have so many operations. */
few_status few__preview_announce(few_ctx *ctx, few_model *m, const struct few_setup *setup,
                                 double step_flops);
/* Is there a DIR/preview-<step>.png? */
few_status few__preview_there(few_ctx *ctx, int64_t step, const char *dir, bool *out);
/* DIR/preview-<step>.png; an encoder makes no images, and none is written. */
few_status few__preview(few_ctx *ctx, few_model *m, const struct few_train_keys *k, int64_t step,
                        const char *dir);

#endif
