/* phase.h - one update of a step as a plan: the loss of a shard and its gradient.
 *
 * A step updates the fake network, where the objective has one, a few times, and then the student.
 * Each is a graph of its own over the same networks; what it trains is one contiguous range of the
 * run's parameters:
 *
 *   [ student | head | fake | fake head ]
 */
#ifndef FEW_SRC_TRAIN_PHASE_H
#define FEW_SRC_TRAIN_PHASE_H

#include "setup.h"

enum few_phase_id { FEW_PHASE_STUDENT, FEW_PHASE_FAKE, FEW_PHASES };

/* The networks of a run. Heads are filled in by tracing. */
struct few_networks {
  const struct few_setup *setup; /* its teacher and its fake network */
  const few_model *student;      /* for its network; values come with each call */
  struct few_params *head, *fake_head;
};

/* Does this run train a fake network? */
bool few__has_fake(const struct few_setup *setup);
/* Where the fake network begins among the parameters, and how many there are in all. */
int64_t few__fake_base(const struct few_networks *w);
int64_t few__parameters(const struct few_networks *w);

enum { FEW_LOG_NAME = 64 };

/* Outputs of the plan: terms, times of the rows, logs, then gradients. */
struct few_phase {
  few_plan *plan;
  int n_outs, n_terms, n_logs, first_grad;
  bool timed; /* otherwise no times are drawn, and theirs is a row of zeros */
  char term_name[FEW_MAX_TERMS][FEW_LOG_NAME], log_name[FEW_MAX_LOGS][FEW_LOG_NAME];
  double weight[FEW_MAX_TERMS];
  int n_grads;     /* gradients: one of the sum, or one of each term, to be balanced */
  int64_t base, n; /* the trained range; a buffer holds n_grads times n floats */
  int64_t *offset; /* [n_outs - first_grad] in that buffer */
};

/* The student's phase must be made first: its heads come first. */
few_status few__phase_create(few_ctx *ctx, struct few_phase *p, enum few_phase_id id,
                             const struct few_networks *w, int64_t rows,
                             const struct few_backend *backend);
void few__phase_free(few_ctx *ctx, struct few_phase *p);

/* Names of its inputs besides parameters: x, label, pair, pair_strength, and scalar number i. */
const char *few__phase_scalar(int i, char name[16]);

/* Where the values of the networks lie during a step, among the run's device arrays. */
struct few_values {
  const float *param;  /* [few__parameters] */
  const float *target; /* the student's shape; NULL: no target */
};
void few__phase_bind(const struct few_phase *p, const struct few_networks *w,
                     const struct few_values *v, const void **slots);

#endif
