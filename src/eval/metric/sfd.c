/* sfd.c - the Frechet distance of spatial features, known as sFID (Nash et al. 2021,
 * arXiv:2103.03841). It measures the layout of images; features that are averaged over positions do
 * not.
 */
#include "metric.h"

static int64_t least(const struct few_metric_opts *o) {
  FEW_UNUSED(o);
  return 2;
}

static few_status run(struct few_metric_value *out, few_ctx *ctx, struct few_metric_input *in) {
  return few__metric_moments(ctx, in, in->set->spatial, in->reference->spatial, "sfd", out);
}

const struct few_metric_def few__metric_sfd = {.version = FEW_METRIC_DEF_VERSION,
                                               .name = "sfd",
                                               .alias = "sfid",
                                               .source = "arXiv:2103.03841",
                                               .help = "Frechet distance of spatial features",
                                               .needs = FEW_NEED_SPATIAL | FEW_NEED_REFERENCE,
                                               .n_values = 1,
                                               .least = least,
                                               .run = run};
