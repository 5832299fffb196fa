/* internal.h - members of an evaluator: resolve.c fills them from the options, eval.c runs it. */
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
  const struct few_eval_opts *o; /* &opts */
  struct few_eval_given given;
  struct few_metric_opts metric_opts;
  few_workers *workers;
  few_features *features;
  const struct few_features_info *info; /* of `features` */
  int64_t dim;                          /* values per row: of the features, or of a point */
  struct few_source *source, *reference;
  unsigned wanted; /* bit i: metric i is to be measured */
  unsigned needs;  /* few_metric_need of all of these */
  few_eval_set *set, *reference_set;
  uint8_t *pixels; /* of a chunk, as are the following arrays */
  int32_t *labels;
  int32_t *class_map; /* [classes of the source] the classifier's class; NULL: the classes differ */
  float *rows, *logits, *spatial;
  /* Progress of a run. */
  int sets;          /* sets that are measured completely */
  unsigned measured; /* bit i: metric i of the first set is measured */
};

/* Validates the options, opens what they name, and chooses the metrics. Nothing is sampled.
 * `metrics` false: only the reference is opened, to be saved. */
few_status few__eval_resolve(few_evaluator *e, bool metrics);

#endif
