/* phase.h - the plan of an update: the loss of a shard and its gradient.
 *
 * A step has up to two phases. It first updates the fake network some times, if the objective has
 * one, and then the student once. Each phase has its own graph and trains one contiguous range of
 * the run's parameters:
 *
 *   [ student | head | fake | fake head ]
 */
#ifndef FEW_SRC_TRAIN_PHASE_H
#define FEW_SRC_TRAIN_PHASE_H

#include "setup.h"

enum few_phase_id { FEW_PHASE_STUDENT, FEW_PHASE_FAKE, FEW_PHASES };

/* The networks of a run. few__phase_create fills in the heads. */
struct few_networks {
  const struct few_setup *setup; /* with the teacher and the fake network */
  const few_model *student;      /* for its architecture; weights are passed with each call */
  struct few_params *head, *fake_head;
};

/* Does this run train a fake network? */
bool few__has_fake(const struct few_setup *setup);
/* Index of the fake network's first parameter, and the number of all parameters. */
int64_t few__fake_base(const struct few_networks *w);
int64_t few__parameters(const struct few_networks *w);

enum { FEW_LOG_NAME = 64 };

/* Outputs of the plan: terms, times of the rows, logs, then gradients. */
struct few_phase {
  few_plan *plan;
  int n_outs, n_terms, n_logs, first_grad;
  bool timed; /* false: the loss draws no times, and that output is zeros */
  char term_name[FEW_MAX_TERMS][FEW_LOG_NAME], log_name[FEW_MAX_LOGS][FEW_LOG_NAME];
  double weight[FEW_MAX_TERMS];
  int n_grads;     /* 1: the gradient of the sum; otherwise one per term, to be balanced */
  int64_t base, n; /* trained parameters base .. base + n - 1; a buffer has n_grads * n floats */
  int64_t *offset; /* [n_outs - first_grad] in that buffer */
};

/* Creates the plan of a phase. Create the student's phase first, because its head comes before the
 * fake network in the parameters. */
few_status few__phase_create(few_ctx *ctx, struct few_phase *p, enum few_phase_id id,
                             const struct few_networks *w, int64_t rows,
                             const struct few_backend *backend);
void few__phase_free(few_ctx *ctx, struct few_phase *p);

/* The name of the plan's input for scalar i. The other inputs besides parameters are x, label,
 * pair, pair_guidance and augment. */
const char *few__phase_scalar(int i, char name[16]);

/* The networks' weights during a step: device arrays of the run. */
struct few_values {
  const float *param;  /* [few__parameters] */
  const float *target; /* the student's shape; NULL: no target */
};
void few__phase_bind(const struct few_phase *p, const struct few_networks *w,
                     const struct few_values *v, const void **slots);

#endif
