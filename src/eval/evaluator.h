/* evaluator.h - measuring the same again: features, and what is kept of the reference, stay. */
#ifndef FEW_SRC_EVAL_EVALUATOR_H
#define FEW_SRC_EVAL_EVALUATOR_H

#include "few/data.h"
#include "few/eval.h"
#include "few/run.h"

typedef struct few_evaluator few_evaluator;

/* What is open already, borrowed; NULL: opened by its name. The names of the options are then what
 * the report says. A runner's model may change its values between runs. */
struct few_eval_given {
  few_runner *runner;
  const few_data *reference;
};

/* Everything that can be refused is refused here. Texts of `o` are borrowed. */
few_status few__evaluator_open(few_ctx *ctx, few_evaluator **out, const struct few_eval_opts *o,
                               const struct few_eval_given *given);
void few__evaluator_free(few_evaluator *e); /* NULL is fine */

/* What few__evaluator_run will do, the look at the reference apart. */
struct few_eval_cost {
  int64_t n;    /* images */
  int nfe;      /* evaluations of the network for each; 0: they are there already */
  int64_t dim;  /* values by which an image is compared */
  double flops; /* of all, in the model, the network of features and, roughly, the metrics */
};
few_status few__evaluator_cost(const few_evaluator *e, struct few_eval_cost *out);

/* Sample the model of the next runs at these times, borrowed. */
void few__evaluator_set_times(few_evaluator *e, int n, const double *times);

/* Measure. The reference is looked at in the first run alone. After a failure, as one that was
 * cancelled, it can be run again. */
few_status few__evaluator_run(few_evaluator *e, struct few_eval_report **out);

#endif
