/* table.c - the list of metrics, and what several of them share. */
#include <math.h>
#include <stdio.h>

#include "metric.h"

static const struct few_metric *const metrics[] = {
#define FEW_METRIC(name) &few__metric_##name,
#include "metrics.def"
#undef FEW_METRIC
};

int few__metric_count(void) { return FEW_COUNT(metrics); }

const struct few_metric *few__metric_at(int i) {
  assert(i >= 0 && i < FEW_COUNT(metrics));
  return metrics[i];
}

static bool same(const char *name, const char *word, size_t length) {
  return name && strlen(name) == length && !memcmp(name, word, length);
}

const struct few_metric *few__metric_find(const char *name, size_t length) {
  for (int i = 0; i < FEW_COUNT(metrics); i++)
    if (same(metrics[i]->name, name, length) || same(metrics[i]->alias, name, length))
      return metrics[i];
  return NULL;
}

void few__metric_spread(int64_t n, const double *x, double *mean, double *error) {
  double sum = 0, square = 0;
  for (int64_t i = 0; i < n; i++) sum += x[i];
  *mean = sum / (double)n;
  for (int64_t i = 0; i < n; i++) square += (x[i] - *mean) * (x[i] - *mean);
  *error = n > 1 ? sqrt(square / (double)(n - 1)) : (double)NAN;
}

/* ---- neighbours: pr and dc ---- */

struct few_knn_rule few__metric_rule(const struct few_metric_opts *o, int rule) {
  struct few_knn_rule r = {rule == FEW_KNN_PR ? 3 : 5, rule == FEW_KNN_PR};
  if (o->k) r.k = o->k;
  if (o->ball != FEW_BALL_OWN) r.closed = o->ball == FEW_BALL_CLOSED;
  return r;
}

void few__metric_rule_text(char how[FEW_METRIC_HOW], const struct few_metric_opts *o, int rule) {
  const struct few_knn_rule r = few__metric_rule(o, rule);
  snprintf(how, FEW_METRIC_HOW, "k %d, %s balls", r.k, r.closed ? "closed" : "open");
}

few_status few__metric_knn(few_ctx *ctx, struct few_metric_case *c, int rule) {
  const int64_t n = c->set->kept, n_real = c->reference->kept;
  if (c->knn_done[rule]) return FEW_OK;
  struct few_knn_job job = {.w = c->w,
                            .d = c->set->o.dim,
                            .n_real = n_real,
                            .n_fake = n,
                            .real = c->reference->panels,
                            .fake = c->set->panels};
  struct few_knn_result result[FEW_KNN_RULES];
  int which[FEW_KNN_RULES];
  for (int r = 0; r < FEW_KNN_RULES; r++) {
    job.rule[job.rules] = few__metric_rule(c->o, r);
    if (job.rule[job.rules].k < n && job.rule[job.rules].k < n_real) which[job.rules++] = r;
  }
  FEW_TRY(few__knn(ctx, &job, result));
  for (int i = 0; i < job.rules; i++) {
    c->knn[which[i]] = result[i];
    c->knn_done[which[i]] = true;
  }
  assert(c->knn_done[rule]);
  return FEW_OK;
}
