/* few/run.h - evaluates a model.
 *
 * A runner evaluates one model. It has plans, memory and threads for this, which it makes when they
 * are first needed. The weights stay in the model, so many runners share them.
 *
 * Threads: a runner serves one thread at a time. To run one model in several threads, make a
 * context and a runner for each. Workers, backend, log, progress and allocator are those of the
 * runner's context, and errors are recorded there.
 */
#ifndef FEW_RUN_H
#define FEW_RUN_H

#include "few/base.h"
#include "few/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct few_runner few_runner;

/* Makes a runner. Model and context are borrowed and must outlive it; the context need not be the
 * model's. On failure *out is NULL. */
FEW_API FEW_MUST_USE few_status few_runner_create(few_runner **out, few_ctx *ctx,
                                                  const few_model *m);
FEW_API void few_runner_free(few_runner *r); /* NULL is fine */

FEW_API const few_model *few_runner_model(const few_runner *r);
/* Number of rows that one replay of the network computes. */
FEW_API int64_t few_runner_rows(const few_runner *r);

/* Inputs of n rows. */
struct few_inputs {
  int version;            /* FEW_INPUTS_VERSION */
  int64_t n;              /* rows, at least 0 */
  const float *x;         /* [n][h*w*c] x_t / sigma_data, of unit variance */
  const float *t;         /* [n] TrigFlow radians; NULL only for a classifier */
  const float *step_size; /* [n] as few_runner_step_size gives it; NULL unless info.step_size */
  const int32_t *label;   /* [n] a class, or -1 for none; NULL: none */
  const float *guidance;  /* [n] guidance scale; NULL: 1, which is no guidance */
};
#define FEW_INPUTS_VERSION 1
#define FEW_INPUTS_INIT \
  { FEW_INPUTS_VERSION, 0, NULL, NULL, NULL, NULL, NULL }

/* Evaluates F: out[n][h*w*c], where dx_t/dt = sigma_data F; for a classifier, logits [n][classes].
 * With a step size F describes the whole step: x_to = cos(t - to) x_t - sin(t - to) sigma_data F. A
 * guidance scale is an input of a model that takes one, and otherwise classifier-free (Ho and
 * Salimans, arXiv 2207.12598). A model that predicts x has no F at t = 0, one that predicts eps has
 * none at pi/2: FEW_E_INVALID.
 *
 * Results do not depend on workers, nor on how rows are grouped into calls as long as a row keeps
 * its index modulo few_runner_rows. */
FEW_API FEW_MUST_USE few_status few_runner_eval(float *out, few_runner *r,
                                                const struct few_inputs *in);

/* The input step_size for a step from t down to `to`, in radians, of a model whose info.step_size
 * is true. t = to means no step; the network then gives the instantaneous velocity. FEW_E_INVALID
 * for a step that the model was not trained for. */
FEW_API FEW_MUST_USE few_status few_runner_step_size(float *out, few_runner *r, double t,
                                                     double to);

#ifdef __cplusplus
}
#endif
#endif
