/* context.h - the members of few_ctx; only base/ includes it. */
#ifndef FEW_SRC_CONTEXT_H
#define FEW_SRC_CONTEXT_H

#include "added.h"

/* Room for an error sentence: the longest path, and the error. */
enum { FEW_ERROR_MAX = 8192, FEW_MAX_WORKERS = 256 };

/* Definitions of one kind, borrowed. */
struct few_added {
  const void **at;
  int n, cap;
};

struct few_ctx {
  struct few_ctx_opts opts;
  int workers;
  const struct few_backend *backend;      /* NULL if none was chosen */
  int precision;                          /* few_precision */
  const struct few_progress_frame *frame; /* the job that the current one is a part of, or NULL */
  struct few_added added[FEW_ADDED_KINDS];
  char error[FEW_ERROR_MAX];
};

#endif
