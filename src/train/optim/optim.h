/* optim.h - optimizers over flat float vectors.
 *
 * A model's parameters are one contiguous float array, so an update is one fused pass over a range:
 * read p, g and the state, write p and the state. Elements are independent, and the scalars of a
 * step are computed before in f64. So a range may be split among workers anywhere, with the same
 * bits.
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
  double rectify_above; /* radam: adapt where the SMA's length rho_t is above this; see radam.c */
};
#define FEW_OPTIM_OPTS_VERSION 1
#define FEW_OPTIM_OPTS_INIT \
  { FEW_OPTIM_OPTS_VERSION, 0.9, 0.999, 1e-8, 0, 5 }

struct few_optim {
  const char *name, *source, *help;
  int states;   /* float arrays beside the parameters */
  bool moments; /* its update is that of moments.c, which devices have too (few_vectors.moments) */
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
/* Find by name; the error lists all names. */
few_status few__optim_find(few_ctx *ctx, const struct few_optim **out, const char *name);
/* Reject options that no optimizer can run with. */
few_status few__optim_check(few_ctx *ctx, const struct few_optim_opts *o);

/* One step on all n parameters, and in the same pass the average of the first n_average of them
 * (ema.h), shared among workers (NULL: in the calling thread); same bits for any number of them.
 * Each state array holds n floats, zero before the first step. */
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
