/* agreement.c - the share of images whose most probable class, by the classifier, is their label.
 * Real images do not reach 1 either, so compare with the value of the reference. */
#include <math.h>
#include <stdio.h>

#include "metric.h"

static int64_t least(const struct few_metric_opts *o) {
  FEW_UNUSED(o);
  return 1;
}

static few_status run(struct few_metric_value *out, few_ctx *ctx, struct few_metric_input *in) {
  const few_eval_set *s = in->set;
  const double n = (double)s->labelled, p = (double)s->agree / n;
  FEW_UNUSED(ctx);
  assert(s->labelled > 0);
  *out = (struct few_metric_value){"agreement", p, sqrt(p * (1 - p) / n), "images", s->labelled,
                                   0,           ""};
  snprintf(out->how, sizeof out->how, "first of %lld classes is the label",
           (long long)s->o.classes);
  return FEW_OK;
}

const struct few_metric_def few__metric_agreement = {
    .version = FEW_METRIC_DEF_VERSION,
    .name = "agreement",
    .source = "",
    .help = "share of images whose label is the classifier's",
    .needs = FEW_NEED_LABELS,
    .n_values = 1,
    .least = least,
    .run = run};
