/* context.h - the inside of few_ctx; only base/ includes it. */
#ifndef FEW_SRC_CONTEXT_H
#define FEW_SRC_CONTEXT_H

#include "base.h"

/* A sentence has room for the longest path, and for what is wrong with it. */
enum { FEW_ERROR_MAX = 8192, FEW_MAX_WORKERS = 256 };

struct few_ctx {
  struct few_ctx_opts opts;
  int workers;
  const struct few_backend *backend;      /* NULL: not chosen */
  const struct few_progress_frame *frame; /* the job that this one is a part of; NULL: none */
  char error[FEW_ERROR_MAX];
};

#endif
