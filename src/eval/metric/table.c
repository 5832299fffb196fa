/* table.c - the metrics by name, built in or added, and computations that several of them share. */
#include <math.h>
#include <stdio.h>

#include "base/added.h"
#include "metric.h"

static const struct few_metric_def *const metrics[] = {
#define FEW_METRIC(name) &few__metric_##name,
#include "metrics.def"
#undef FEW_METRIC
};

int few__metric_count(const few_ctx *ctx) {
  return FEW_COUNT(metrics) + few__added_count(ctx, FEW_ADDED_METRIC);
}

const struct few_metric_def *few__metric_at(const few_ctx *ctx, int i) {
  assert(i >= 0 && i < few__metric_count(ctx));
  if (i < FEW_COUNT(metrics)) return metrics[i];
  return few__added_at(ctx, FEW_ADDED_METRIC, i - FEW_COUNT(metrics));
}

static bool same(const char *name, const char *word, size_t length) {
  return name && strlen(name) == length && !memcmp(name, word, length);
}

int few__metric_find(const few_ctx *ctx, const char *name, size_t length) {
  for (int i = 0; i < few__metric_count(ctx); i++) {
    const struct few_metric_def *m = few__metric_at(ctx, i);
    if (same(m->name, name, length) || same(m->alias, name, length)) return i;
  }
  return -1;
}

static bool is_taken(const few_ctx *ctx, const char *name) {
  return name && few__metric_find(ctx, name, strlen(name)) >= 0;
}

few_status few_ctx_add_metric(few_ctx *ctx, const struct few_metric_def *def) {
  static const char type[] = "few_metric_def";
  FEW_TRY(few__added_version(ctx, type, def, FEW_METRIC_DEF_VERSION));
  if (few__metric_count(ctx) == FEW_METRICS_MAX)
    return few__fail(ctx, FEW_E_INVALID, "there are %d metrics, and no room for more: add %s %s",
                     FEW_METRICS_MAX, "those that one evaluation needs to a context of its", "own");
  if (def->n_values < 1 || def->n_values > FEW_METRIC_VALUES)
    return few__fail(ctx, FEW_E_INVALID, "%s %.60s: n_values is %d: give 1 to %d", type,
                     def->name ? def->name : "", def->n_values, FEW_METRIC_VALUES);
  return few__added_add(
      ctx, &(struct few_addition){.kind = FEW_ADDED_METRIC,
                                  .type = type,
                                  .def = def,
                                  .name = def->name,
                                  .missing = !def->help    ? "help"
                                             : !def->least ? "least"
                                             : !def->run   ? "run"
                                                           : NULL,
                                  .taken = is_taken(ctx, def->name) || is_taken(ctx, def->alias)});
}

void few__metric_spread(int64_t n, const double *x, double *mean, double *error) {
  assert(n >= 1);
  double sum = 0, square = 0;
  for (int64_t i = 0; i < n; i++) sum += x[i];
  *mean = sum / (double)n;
  for (int64_t i = 0; i < n; i++) square += (x[i] - *mean) * (x[i] - *mean);
  *error = n > 1 ? sqrt(square / (double)(n - 1)) : (double)NAN;
}

/* ---- neighbours: pr and dc ---- */

struct few_knn_rule few__metric_rule(const struct few_metric_opts *o, int rule) {
  assert(rule == FEW_KNN_PR || rule == FEW_KNN_DC);
  struct few_knn_rule r = {rule == FEW_KNN_PR ? 3 : 5, rule == FEW_KNN_PR};
  if (o->k) r.k = o->k;
  if (o->ball != FEW_BALL_OWN) r.closed = o->ball == FEW_BALL_CLOSED;
  return r;
}

void few__metric_rule_text(char how[FEW_METRIC_HOW], const struct few_metric_opts *o, int rule) {
  const struct few_knn_rule r = few__metric_rule(o, rule);
  snprintf(how, FEW_METRIC_HOW, "k %d, %s balls", r.k, r.closed ? "closed" : "open");
}

few_status few__metric_knn(few_ctx *ctx, struct few_metric_input *in, int rule) {
  struct few_metric_shared *shared = in->shared;
  const int64_t n = in->set->kept, n_real = in->reference->kept;
  assert(in->set->panels && in->reference->panels);
  if (shared->knn_done[rule]) return FEW_OK;
  struct few_knn_job job = {.w = shared->w,
                            .d = in->set->o.dim,
                            .n_real = n_real,
                            .n_fake = n,
                            .real = in->reference->panels,
                            .fake = in->set->panels};
  struct few_knn_result result[FEW_KNN_RULES];
  int which[FEW_KNN_RULES];
  for (int r = 0; r < FEW_KNN_RULES; r++) {
    job.rule[job.rules] = few__metric_rule(in->opts, r);
    if (job.rule[job.rules].k < n && job.rule[job.rules].k < n_real) which[job.rules++] = r;
  }
  FEW_TRY(few__knn(ctx, &job, result));
  for (int i = 0; i < job.rules; i++) {
    shared->knn[which[i]] = result[i];
    shared->knn_done[which[i]] = true;
  }
  assert(shared->knn_done[rule]);
  return FEW_OK;
}
