/* optim.h - optimizers over flat float vectors.
 *
 * A model's parameters are one contiguous float array. An update is one pass over a range of it,
 * which reads p, g and the state and writes p and the state. The scalars of a step are computed
 * before, in f64, and elements do not depend on each other. So the bits do not depend on how the
 * range is split among workers.
 *
 * An optimizer is one file and one row in optimizers.def.
 */
#ifndef FEW_SRC_OPTIM_H
#define FEW_SRC_OPTIM_H

#include "base/base.h"
#include "base/workers.h"
#include "engine/backend/backend.h"

enum { FEW_OPTIM_MAX_STATES = 2 };

struct few_optim_opts {
  int version; /* FEW_OPTIM_OPTS_VERSION */
  double beta1, beta2;
  double eps;           /* added to the root of the second moment */
  double weight_decay;  /* decoupled (AdamW): p shrinks by 1 - lr * weight_decay before the step */
  double rectify_above; /* radam: use the second moment if rho_k is above this; see radam.c */
};
#define FEW_OPTIM_OPTS_VERSION 1
#define FEW_OPTIM_OPTS_INIT \
  { FEW_OPTIM_OPTS_VERSION, 0.9, 0.999, 1e-8, 0, 5 }

struct few_optim {
  const char *name, *source, *help;
  int states;   /* float arrays beside the parameters */
  bool moments; /* its update is that of moments.h, which devices have too (few_vectors.moments) */
  const char *state_names[FEW_OPTIM_MAX_STATES]; /* their names in checkpoints */
  /* Scalars of update number `step` = 1, 2, ... */
  void (*prepare)(const struct few_optim_opts *o, int64_t step, double lr, double grad_scale,
                  struct few_moments_coef *out);
  /* Update n elements. p, g and state[k] do not overlap; g is not changed. */
  void (*update)(const struct few_moments_coef *c, int64_t n, float *p, const float *g,
                 float *const state[]);
};

#define FEW_OPTIMIZER(name) extern const struct few_optim few__optim_##name;
#include "optimizers.def"
#undef FEW_OPTIMIZER

/* Rows of optimizers.def in order: i = 0 .. few__optim_count() - 1. */
int few__optim_count(void);
const struct few_optim *few__optim_at(int i);
/* Finds an optimizer by its name; the error lists all names. */
few_status few__optim_find(few_ctx *ctx, const struct few_optim **out, const char *name);
/* Rejects options that no optimizer can run with. */
few_status few__optim_check(few_ctx *ctx, const struct few_optim_opts *o);

/* One step on all n parameters. The same pass updates the average (ema.h) of the first n_average of
 * them. The bits do not depend on the number of workers (w NULL: the calling thread does it). Each
 * state array has n floats, zero before the first step. */
struct few_optim_job {
  const struct few_optim *optim;
  struct few_moments_coef coef;
  int64_t n;
  float *param;
  const float *grad;
  float *state[FEW_OPTIM_MAX_STATES];
  float *average; /* NULL: none */
  int64_t n_average;
  double beta; /* of the average */
};
void few__optim_step(few_workers *w, const struct few_optim_job *job);

#endif
