/* evaluate.h - evaluations during a run, by the recipe's keys eval_*. */
#ifndef FEW_SRC_TRAIN_EVALUATE_H
#define FEW_SRC_TRAIN_EVALUATE_H

#include "few/run.h"
#include "run_log.h"
#include "setup.h"
#include "state.h"

typedef struct few_evaluation few_evaluation;

/* Checks the keys eval_*. *out is NULL if eval_every is 0. `setup`, `model` and its runner are
 * borrowed; the model's values are overwritten. */
few_status few__evaluation_open(few_ctx *ctx, few_evaluation **out, const struct few_setup *setup,
                                few_model *model, few_runner *runner);
void few__evaluation_free(few_evaluation *e); /* NULL is fine */

/* Logs what the run's evaluations cost compared with its training, as a warning if that is much.
 * `step_flops`: operations of one step. */
few_status few__evaluation_announce(const few_evaluation *e, double step_flops);

/* Operations of one evaluation, without reading the reference. */
few_status few__evaluation_flops(const few_evaluation *e, double *out);

/* If an evaluation is due and not in the log yet, evaluates the averaged weights and logs
 * the result. */
few_status few__evaluation_run(few_evaluation *e, const struct few_run_state *s,
                               struct few_run_log *log);

#endif
