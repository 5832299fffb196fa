/* runner.h - the members of a runner, and forward passes of many rows. */
#ifndef FEW_SRC_MODEL_RUN_RUNNER_H
#define FEW_SRC_MODEL_RUN_RUNNER_H

#include "base/watch.h"
#include "base/workers.h"
#include "few/run.h"
#include "model/model.h"

enum few_forward_plan { FEW_FORWARD_PLAIN, FEW_FORWARD_CLASSIFIER_FREE, FEW_FORWARD_PLANS };

struct few_runner {
  few_ctx *ctx;
  const few_model *m;
  const struct few_backend *backend; /* of the plans; NULL: there are none yet */
  few_precision precision;           /* of the plans */
  few_plan *plan[FEW_FORWARD_PLANS]; /* each NULL until it is needed */
  few_workers *workers;
  int asked; /* workers requested; the system may have given fewer */
  struct few_forward_worker *worker;
  int n_workers;
};

/* A forward pass. Unlike in few_runner_eval, a value that is the same for all rows is given
 * once. */
struct few_forward {
  int64_t n;
  const float *x;
  float x_scale; /* the network's input is x * x_scale */
  const float *t;
  float time;           /* of all rows if t is NULL */
  const int32_t *label; /* NULL: no row has one */
  const float *guidance;
  float guidance_of_all; /* if guidance is NULL */
  bool classifier_free;  /* F_u + guidance (F_c - F_u), of a model with classes */
  float *out;
  const float *step_size;  /* used if the network takes a step size */
  float step_size_of_all;  /* if step_size is NULL */
  struct few_watch *watch; /* may stop it; NULL: nothing does */
};
few_status few__runner_forward(few_runner *r, const struct few_forward *f);

/* The fewest rows of a call that keep all workers, or the device, busy. */
int64_t few__runner_portion(const few_runner *r);
/* few_runner_rows for a context and a model without a runner. */
int64_t few__forward_rows(few_ctx *ctx, const few_model *m);

/* FEW_E_INVALID if the network's prediction does not determine F at t: eps does not at pi/2, nor
 * does x at 0 (diffusion/net/raw.c). */
few_status few__forward_time_check(few_ctx *ctx, const few_model *m, double t);
/* few_runner_step_size without a runner. */
few_status few__step_size(few_ctx *ctx, const few_model *m, double t, double to, float *out);

#endif
