/* internal.h - the members of an evaluator: resolve.c fills them from the options, eval.c runs it. */
#ifndef FEW_SRC_EVAL_INTERNAL_H
#define FEW_SRC_EVAL_INTERNAL_H

#include "eval/feature/feature.h"
#include "eval/metric/metric.h"
#include "evaluator.h"
#include "source.h"

enum { FEW_EVAL_CHOICE = 0 }; /* the seed of all choices of images */
enum { FEW_EVAL_SIDE = FEW_NEED_MOMENTS | FEW_NEED_SPATIAL | FEW_NEED_ROWS };

struct few_evaluator {
  few_ctx *ctx;
  struct few_eval_opts opts;
  const struct few_eval_opts *o; /* these */
  struct few_eval_given given;
  struct few_metric_opts metric_opts;
  few_workers *workers;
  few_features *features;
  const struct few_features_info *info; /* its */
  int64_t dim;                          /* values of a row: its, or those of a point */
  struct few_source *source, *reference;
  unsigned wanted; /* bit i: metric i */
  unsigned needs;
  few_eval_set *set, *reference_set;
  uint8_t *pixels; /* a chunk */
  int32_t *labels;
  int32_t *class_map; /* [classes of the source] the classifier's; NULL: it has others */
  float *rows, *logits, *spatial;
  /* What a run has measured so far. */
  int sets;          /* whole ones */
  unsigned measured; /* metrics of the first set */
};

/* Check the options, open all that they name, choose the metrics: nothing has been sampled yet.
 * Without metrics the reference alone is opened, to be saved. */
few_status few__eval_resolve(few_evaluator *e, bool metrics);

#endif
