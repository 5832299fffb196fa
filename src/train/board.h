/* board.h - a run for TensorBoard: DIR/events.out.tfevents.few has the numbers of each line of the
 * run log, and the previews. */
#ifndef FEW_SRC_TRAIN_BOARD_H
#define FEW_SRC_TRAIN_BOARD_H

#include "base/base.h"

struct few_events;

/* Opens DIR/events.out.tfevents.few. Events after `step` are removed first, since the run will
 * write them again. Lines of the log at `log_path` that the file does not have are added. */
few_status few__board_open(few_ctx *ctx, struct few_events **out, const char *dir,
                           const char *log_path, int64_t step);
/* Adds the numbers of a line of the log, with their keys as tags: "loss", "mse_by_time/3",
 * "eval/fd". */
few_status few__board_line(few_ctx *ctx, struct few_events *e, const char *line, size_t n);
/* Adds an image with the tag "preview". */
few_status few__board_preview(few_ctx *ctx, struct few_events *e, int64_t step, const char *path);

#endif
