/* evaluator.h - repeated measurements. The feature network and the statistics of the reference stay
 * in memory between them. */
#ifndef FEW_SRC_EVAL_EVALUATOR_H
#define FEW_SRC_EVAL_EVALUATOR_H

#include "few/data.h"
#include "few/eval.h"
#include "few/run.h"

typedef struct few_evaluator few_evaluator;

/* A source, which is a runner or data, and a reference that are already open, borrowed. If one is
 * NULL, the set named in the options is opened; otherwise the name is only used in the report. The
 * values of the runner's model may change between runs. */
struct few_eval_given {
  few_runner *runner;
  const few_data *source, *reference;
};

/* Refuses all invalid options. The texts of `o` are borrowed. */
few_status few__evaluator_open(few_ctx *ctx, few_evaluator **out, const struct few_eval_opts *o,
                               const struct few_eval_given *given);
void few__evaluator_free(few_evaluator *e); /* NULL is fine */

/* The cost of few__evaluator_run, without reading the reference. */
struct few_eval_cost {
  int64_t n;    /* images */
  int nfe;      /* network evaluations per image; 0: the source is images */
  int64_t dim;  /* features per image */
  double flops; /* of the model, the feature network and, roughly, the metrics, for all images */
};
few_status few__evaluator_cost(const few_evaluator *e, struct few_eval_cost *out);

/* Samples the model at these times from the next run on. Borrowed. */
void few__evaluator_set_times(few_evaluator *e, int n, const double *times);

/* Measure. Only the first run reads the reference. After a failure or a cancellation it may be
 * called again. */
few_status few__evaluator_run(few_evaluator *e, struct few_eval_report **out);

#endif
