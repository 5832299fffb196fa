/* context.h - the inside of few_ctx; only base/ includes it. */
#ifndef FEW_SRC_CONTEXT_H
#define FEW_SRC_CONTEXT_H

#include "base.h"

enum { FEW_ERROR_MAX = 1024, FEW_MAX_WORKERS = 256 };

struct few_ctx {
  struct few_ctx_opts opts;
  int workers;
  const struct few_backend *backend;      /* NULL: not chosen */
  const struct few_progress_frame *frame; /* the job that this one is a part of; NULL: none */
  char error[FEW_ERROR_MAX];
};

#endif
