/* dc.c - density and coverage (Naeem et al. 2020, arXiv:2002.09797)
 *
 *   density    sum_j (reference balls that contain sample j) / (k M), M samples
 *   coverage   share of the reference balls that contain a sample
 *
 * The ball of a reference row reaches to its k-th neighbour (k = 5), without its surface, as in the
 * authors' package prdc. An outlier of the reference has a huge ball. For precision, a sample
 * counts fully if it lies in one such ball; for density, it counts only 1/k. Density may exceed 1.
 * Two large sets of the same distribution and size have density 1 and coverage 1 - 2^-k.
 */
#include <math.h>

#include "metric.h"

static int64_t least(const struct few_metric_opts *o) {
  return few__metric_rule(o, FEW_KNN_DC).k + 1;
}

static few_status run(struct few_metric_value *out, few_ctx *ctx, struct few_metric_input *in) {
  FEW_TRY(few__metric_knn(ctx, in, FEW_KNN_DC));
  const struct few_knn_result *r = &in->shared->knn[FEW_KNN_DC];
  const int64_t n = in->set->kept, n_ref = in->reference->kept;
  out[0] = (struct few_metric_value){"density", r->density, (double)NAN, "", n, n_ref, ""};
  out[1] = (struct few_metric_value){"coverage", r->coverage, (double)NAN, "", n, n_ref, ""};
  for (int i = 0; i < 2; i++) few__metric_rule_text(out[i].how, in->opts, FEW_KNN_DC);
  return FEW_OK;
}

const struct few_metric_def few__metric_dc = {.version = FEW_METRIC_DEF_VERSION,
                                              .name = "dc",
                                              .source = "arXiv:2002.09797",
                                              .help = "density and coverage",
                                              .needs = FEW_NEED_ROWS | FEW_NEED_REFERENCE,
                                              .n_values = 2,
                                              .least = least,
                                              .run = run};
