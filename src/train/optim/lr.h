/* lr.h - the learning rate as a pure function of the step. */
#ifndef FEW_SRC_OPTIM_LR_H
#define FEW_SRC_OPTIM_LR_H

#include "base/base.h"

enum few_lr_shape {
  FEW_LR_CONSTANT, /* 1 */
  FEW_LR_LINEAR,   /* 1 - step/total, with floor 0 */
  FEW_LR_COSINE,   /* (1 + cos(pi step/total)) / 2, with floor 0 */
  FEW_LR_INVSQRT,  /* 1 / sqrt(max(step/reference, 1)): EDM2 */
  FEW_LR_SHAPES
};

struct few_lr_opts {
  int version; /* FEW_LR_OPTS_VERSION */
  enum few_lr_shape shape;
  double base;       /* the rate where the shape is 1 */
  double floor;      /* linear, cosine: the last rate, as a share of base */
  int64_t warmup;    /* any shape is multiplied by min(1, (step + 1)/warmup); 0: no warm-up */
  int64_t total;     /* linear, cosine: steps of the run */
  int64_t reference; /* invsqrt: steps before the decay begins (t_ref) */
};
#define FEW_LR_OPTS_VERSION 1
#define FEW_LR_OPTS_INIT \
  { FEW_LR_OPTS_VERSION, FEW_LR_CONSTANT, 1e-4, 0, 0, 0, 0 }

const char *few__lr_name(enum few_lr_shape shape);
few_status few__lr_find(few_ctx *ctx, enum few_lr_shape *out, const char *name);
few_status few__lr_check(few_ctx *ctx, const struct few_lr_opts *o);

/* The rate of the update that follows `step` = 0, 1, ... finished ones. With linear and cosine it
 * is constant after `total`. */
double few__lr(const struct few_lr_opts *o, int64_t step);

#endif
