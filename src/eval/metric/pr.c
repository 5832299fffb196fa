/* pr.c - improved precision and recall (Kynkaanniemi et al. 2019, arXiv:1904.06991)
 *
 *   precision   share of the samples that lie in the ball of some reference row
 *   recall      share of the reference rows that lie in the ball of some sample
 *
 * where the ball of a row reaches to its k-th nearest neighbour in its own set (k = 3), with its
 * surface. This is the rule of the authors' code and of guided-diffusion's evaluator, which
 * compares squared distances. For the package prdc, without the surface, give --ball open --knn 5.
 * Both numbers depend strongly on n and on k. Compare sets of the same size.
 */
#include <math.h>

#include "metric.h"

static int64_t least(const struct few_metric_opts *o) {
  return few__metric_rule(o, FEW_KNN_PR).k + 1;
}

static few_status run(struct few_metric_value *out, few_ctx *ctx, struct few_metric_input *in) {
  FEW_TRY(few__metric_knn(ctx, in, FEW_KNN_PR));
  const struct few_knn_result *r = &in->shared->knn[FEW_KNN_PR];
  const int64_t n = in->set->kept, n_ref = in->reference->kept;
  out[0] = (struct few_metric_value){"precision", r->precision, (double)NAN, "", n, n_ref, ""};
  out[1] = (struct few_metric_value){"recall", r->recall, (double)NAN, "", n, n_ref, ""};
  for (int i = 0; i < 2; i++) few__metric_rule_text(out[i].how, in->opts, FEW_KNN_PR);
  return FEW_OK;
}

const struct few_metric_def few__metric_pr = {.version = FEW_METRIC_DEF_VERSION,
                                              .name = "pr",
                                              .source = "arXiv:1904.06991",
                                              .help = "precision and recall",
                                              .needs = FEW_NEED_ROWS | FEW_NEED_REFERENCE,
                                              .n_values = 2,
                                              .least = least,
                                              .run = run};
