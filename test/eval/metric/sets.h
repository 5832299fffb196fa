/* sets.h - rows by the same formula as in golden.py, and sets filled with rows. */
#ifndef FEW_TEST_METRIC_SETS_H
#define FEW_TEST_METRIC_SETS_H

#include "testing.h"

#include "base/rng.h"
#include "eval/metric/metric.h"

/* out[n][d]: multiples of 1/2048 below 2, exact in float. */
static inline void formula_rows(int64_t n, int64_t d, int64_t which, float *out) {
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < d; j++) {
      int64_t u = i * i * 577 + i * j * 7919 + j * 104729 + j * j * 31 + which * 15485863;
      double v = (double)((u * u + 12345) % 1021) / 1024;
      if (which == 2 && j % 3 == 0) v += 0.25;
      if (j == d - 1) v += 0.5 * (double)out[i * d] - (which == 2 ? 0.125 : 0);
      out[i * d + j] = (float)v;
    }
}

static inline void normal_rows(int64_t n, int64_t d, uint64_t seed, float *out) {
  struct few_rng r = {.seed = seed, .purpose = FEW_RNG_CHECK};
  for (int64_t i = 0; i < n; i++) {
    r.row = (uint64_t)i;
    few__rng_normal_f32(&r, d, out + i * d);
  }
}

static inline few_workers *test_workers(few_ctx *ctx, int n) {
  few_workers *w;
  assert_ok(ctx, few__workers_create(ctx, &w, n));
  return w;
}

/* Returns a set of rows [n][d], added in groups of `group`. */
static inline few_eval_set *test_set(few_ctx *ctx, few_workers *w, unsigned needs, int64_t n,
                                     int64_t d, const float *rows, int64_t group) {
  few_eval_set *s;
  struct few_eval_set_opts o = {
      .name = "rows", .needs = needs, .n = n, .dim = d, .keep = n, .splits = 1};
  assert_ok(ctx, few__eval_set_create(ctx, &s, w, &o));
  for (int64_t i = 0; i < n; i += group)
    assert_ok(ctx,
              few__eval_set_add(s, n - i < group ? n - i : group, rows + i * d, NULL, NULL, NULL));
  few__eval_set_end(s);
  return s;
}

static inline const struct few_metric_def *test_metric_def(const char *name) {
  return few__metric_at(NULL, few__metric_find(NULL, name, strlen(name)));
}

/* Computes the values of a metric for two sets of rows. */
static inline few_status test_metric(few_ctx *ctx, few_workers *w, const char *name,
                                     const struct few_metric_opts *o, int64_t n, const float *x,
                                     int64_t m, const float *y, int64_t d,
                                     struct few_metric_value *out) {
  const struct few_metric_def *metric = test_metric_def(name);
  few_eval_set *set = test_set(ctx, w, metric->needs, n, d, x, n);
  few_eval_set *reference = test_set(ctx, w, metric->needs, m, d, y, m);
  struct few_metric_shared shared = {.w = w};
  struct few_metric_input in = {set, reference, o, false, &shared};
  few_status st = metric->run(out, ctx, &in);
  few__eval_set_free(set);
  few__eval_set_free(reference);
  return st;
}

#endif
