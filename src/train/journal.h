/* journal.h - DIR/log.jsonl: a JSON object a line, flushed line by line. */
#ifndef FEW_SRC_TRAIN_JOURNAL_H
#define FEW_SRC_TRAIN_JOURNAL_H

#include "base/base.h"

struct few_journal {
  char *path;
  int fd;
};

/* Open for appending; lines of steps after `step` are dropped first: they will be written again. */
few_status few__journal_open(few_ctx *ctx, struct few_journal *j, const char *dir, int64_t step);
void few__journal_close(few_ctx *ctx, struct few_journal *j);
/* Append a line; text without the newline. */
few_status few__journal_line(few_ctx *ctx, struct few_journal *j, const char *text);

/* Does a line begin with this? */
few_status few__journal_has(few_ctx *ctx, const struct few_journal *j, const char *start,
                            bool *found);

#endif
