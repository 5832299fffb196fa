/* posthoc.h - the snapshots of a run: models of two power-function averages (optim/ema.h). */
#ifndef FEW_SRC_TRAIN_POSTHOC_H
#define FEW_SRC_TRAIN_POSTHOC_H

#include "state.h"

/* sigma_rel of the averages: EDM2's (Karras et al., arXiv 2312.02696, section 3.2). */
extern const double few__history_width[FEW_HISTORIES];

/* DIR/snapshot-STEP-WIDTH.safetensors. Free *out with few__free. */
few_status few__snapshot_path(few_ctx *ctx, char **out, const char *dir, int64_t step, int i);

#endif
