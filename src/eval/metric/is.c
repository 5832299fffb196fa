/* is.c - the Inception score, with any classifier (Salimans et al. 2016, arXiv:1606.03498)
 *
 *   IS = exp mean_x KL(p(y|x) | p(y)),   p(y) = mean_x p(y|x)
 *
 * as the mean over splits, each with its own p(y). The mean KL is the mean of sum_y p(y|x) log
 * p(y|x), summed image by image, minus sum_y p(y) log p(y). The splits are a random partition, so
 * that a set that is sorted by class does not have splits of one class each. The score uses no
 * reference: a set that repeats one image per class gets the best possible score.
 */
#include <math.h>
#include <stdio.h>

#include "metric.h"

static int64_t least(const struct few_metric_opts *o) { return o->splits; }

static double score(const struct few_eval_set_split *s, int64_t classes) {
  const double n = (double)s->n;
  double kl = s->information / n;
  for (int64_t c = 0; c < classes; c++) {
    double p = s->p[c] / n;
    if (p > 0) kl -= p * log(p);
  }
  return exp(kl);
}

static few_status run(struct few_metric_value *out, few_ctx *ctx, struct few_metric_input *in) {
  const few_eval_set *set = in->set;
  const int splits = set->o.splits;
  double *each = NULL;
  assert(set->split && splits >= 1 && set->seen >= splits);
  FEW_TRY(FEW_NEW(ctx, &each, splits));
  for (int i = 0; i < splits; i++) each[i] = score(&set->split[i], set->o.classes);
  *out = (struct few_metric_value){
      .name = "is", .error_of = splits > 1 ? "splits" : "", .n = set->seen};
  few__metric_spread(splits, each, &out->value, &out->error);
  snprintf(out->how, sizeof out->how, "%lld classes, %d random split%s", (long long)set->o.classes,
           splits, splits == 1 ? "" : "s");
  few__free(ctx, each);
  return FEW_OK;
}

const struct few_metric_def few__metric_is = {
    .version = FEW_METRIC_DEF_VERSION,
    .name = "is",
    .source = "arXiv:1606.03498",
    .help = "Inception score: confident and varied classes",
    .needs = FEW_NEED_LOGITS,
    .n_values = 1,
    .least = least,
    .run = run};
