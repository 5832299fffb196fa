/* metric.h - metrics of two sets. A metric is one file and one row in metrics.def, or is added to a
 * context. few/ext/metric.h has the definition. */
#ifndef FEW_SRC_METRIC_H
#define FEW_SRC_METRIC_H

#include "few/ext/metric.h"
#include "knn.h"
#include "set.h"

/* An evaluation keeps sets of metrics in the bits of an unsigned. */
enum { FEW_METRICS_MAX = 32 };

/* Results that the built-in metrics of one input share. */
struct few_metric_shared {
  few_workers *w;
  bool knn_done[FEW_KNN_RULES]; /* pr and dc share one pass over all distances */
  struct few_knn_result knn[FEW_KNN_RULES];
};

#define FEW_METRIC(name) extern const struct few_metric_def few__metric_##name;
#include "metrics.def"
#undef FEW_METRIC

/* Built-in metrics, then those of the context, which may be NULL. */
int few__metric_count(const few_ctx *ctx);
const struct few_metric_def *few__metric_at(const few_ctx *ctx, int i);
/* The index of the metric with this name or alias, of `length` letters; -1: none. */
int few__metric_find(const few_ctx *ctx, const char *name, size_t length);

/* For fd and sfd: the Frechet distance of two ended moments as a metric's value. */
few_status few__metric_moments(few_ctx *ctx, const struct few_metric_input *in,
                               const few_moments *a, const few_moments *b, const char *name,
                               struct few_metric_value *out);

/* For pr and dc: fill knn[rule]. */
enum { FEW_KNN_PR, FEW_KNN_DC };
few_status few__metric_knn(few_ctx *ctx, struct few_metric_input *in, int rule);
struct few_knn_rule few__metric_rule(const struct few_metric_opts *o, int rule);
/* "k 3, closed balls" */
void few__metric_rule_text(char how[FEW_METRIC_HOW], const struct few_metric_opts *o, int rule);

/* Estimates standard errors over the images of in->set, which was made with `hold`, from
 * `replicates` halves. Sets the error of value[i][v] for each metric i whose bit of `wanted` is
 * set, and no other member. */
few_status few__bootstrap(few_ctx *ctx, const struct few_metric_input *in, unsigned wanted,
                          int replicates, struct few_metric_value (*value)[FEW_METRIC_VALUES]);

/* Mean, and standard deviation (divisor n - 1; NaN for n = 1), of n numbers. */
void few__metric_spread(int64_t n, const double *x, double *mean, double *error);

#endif
