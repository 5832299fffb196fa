/* run_log.h - the log of a run, DIR/log.jsonl: one JSON object per line, written line by line; and,
 * if the recipe has it, the same for TensorBoard. */
#ifndef FEW_SRC_TRAIN_RUN_LOG_H
#define FEW_SRC_TRAIN_RUN_LOG_H

#include "base/base.h"

struct few_events;

struct few_run_log {
  char *path;
  int fd;                    /* -1: not open. Then nothing is written, and no line is found */
  struct few_events *events; /* of TensorBoard (board.h); NULL: none */
};

/* Opens for appending. Lines of steps after `step` are removed first: the run will write them
 * again. `tensorboard`: keep event files as well. */
few_status few__run_log_open(few_ctx *ctx, struct few_run_log *log, const char *dir, int64_t step,
                             bool tensorboard);
void few__run_log_close(few_ctx *ctx, struct few_run_log *log);
/* Appends a line. `text` has no newline. */
few_status few__run_log_line(few_ctx *ctx, struct few_run_log *log, const char *text);
/* The preview of `step` is in the file at `path`. */
few_status few__run_log_preview(few_ctx *ctx, struct few_run_log *log, int64_t step,
                                const char *path);

/* Does a line begin with `start`? */
few_status few__run_log_has(few_ctx *ctx, const struct few_run_log *log, const char *start,
                            bool *found);

#endif
