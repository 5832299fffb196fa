/* Error bars from halves of a set are compared with the spread of metrics over independent sets of
 * Gaussians, and with the formula for the error of a proportion. */
#include "sets.h"

struct fixture {
  few_ctx *ctx;
  few_workers *w;
};
static int setup(void **state) {
  static struct fixture f;
  f.ctx = test_ctx();
  f.w = test_workers(f.ctx, 1);
  *state = &f;
  return 0;
}
static int teardown(void **state) {
  struct fixture *f = *state;
  few__workers_free(f->w);
  few_ctx_free(f->ctx);
  return 0;
}

enum { DIM = 3, N = 120, N_REF = 240, SETS = 120, HALVES = 30 };

static unsigned bit_of(const char *name, int *index) {
  *index = few__metric_find(NULL, name, strlen(name));
  assert_true(*index >= 0);
  return 1u << *index;
}

struct measured {
  double value[SETS], error[SETS];
};

/* Writes the value and the error of each set into out[v], for value v of a metric. */
static void measure(struct fixture *f, const char *name, struct measured *out[FEW_METRIC_VALUES]) {
  static float x[N * DIM], y[N_REF * DIM];
  const struct few_metric_opts o = {.subsets = 1, .subset_size = N};
  int at = 0;
  const unsigned wanted = bit_of(name, &at);
  const struct few_metric_def *m = few__metric_at(NULL, at);
  normal_rows(N_REF, DIM, 99, y);
  few_eval_set *reference = test_set(f->ctx, f->w, m->needs, N_REF, DIM, y, N_REF);
  for (int s = 0; s < SETS; s++) {
    struct few_eval_set_opts so = {.name = "rows",
                                   .needs = m->needs,
                                   .n = N,
                                   .dim = DIM,
                                   .keep = N,
                                   .splits = 1,
                                   .hold = true};
    few_eval_set *set;
    struct few_metric_value v[8 * sizeof wanted][FEW_METRIC_VALUES];
    normal_rows(N, DIM, 1000 + (uint64_t)s, x);
    for (int i = 0; i < N * DIM; i++) x[i] = 1.3f * x[i] + (i % DIM ? 0 : 0.6f);
    assert_ok(f->ctx, few__eval_set_create(f->ctx, &set, f->w, &so));
    assert_ok(f->ctx, few__eval_set_add(set, N, x, NULL, NULL, NULL));
    few__eval_set_end(set);
    struct few_metric_shared shared = {.w = f->w};
    struct few_metric_input in = {set, reference, &o, false, &shared};
    assert_ok(f->ctx, m->run(v[at], f->ctx, &in));
    assert_ok(f->ctx, few__bootstrap(f->ctx, &in, wanted, HALVES, v));
    for (int k = 0; k < m->n_values; k++) {
      out[k]->value[s] = v[at][k].value;
      out[k]->error[s] = v[at][k].error;
      assert_string_equal(v[at][k].error_of, "bootstrap");
    }
    few__eval_set_free(set);
  }
  few__eval_set_free(reference);
}

/* Compares the mean of error^2 with the variance that it estimates. The SETS sets give that
 * variance with a relative error of sqrt(2 / (SETS - 1)). Also checks how often the mean is within
 * 1.96 errors of a value. `bias` is the allowed error of the estimate for metrics that are not
 * smooth, or are smooth only for larger sets (docs/eval.md). */
static void look(const char *name, const struct measured *m, double bias) {
  double mean, deviation, square = 0;
  int inside = 0;
  few__metric_spread(SETS, m->value, &mean, &deviation);
  for (int s = 0; s < SETS; s++) {
    square += m->error[s] * m->error[s] / SETS;
    inside += fabs(m->value[s] - mean) <= 1.96 * m->error[s];
  }
  const double ratio = square / (deviation * deviation), noise = 4 * sqrt(2. / (SETS - 1));
  const double covered = (double)inside / SETS, few = 4 * sqrt(0.95 * 0.05 / SETS);
  if (ratio > (1 + noise) * bias || ratio < 1 / ((1 + noise) * bias))
    fail_msg("%s: mean error^2 is %g of the variance", name, ratio);
  if (covered < 0.95 - few) fail_msg("%s: %g of the sets are within 1.96 errors", name, covered);
}

static void test_coverage(void **state) {
  static struct measured a, b;
  struct measured *out[FEW_METRIC_VALUES] = {&a, &b};
  measure(*state, "fd", out);
  look("fd", &a, 1.2);
  measure(*state, "kid", out);
  look("kid", &a, 2);
  measure(*state, "pr", out);
  look("precision", &a, 1.2);
  look("recall", &b, 1.2);
  measure(*state, "dc", out);
  look("density", &a, 1.5);
  look("coverage", &b, 1.5);
}

/* Half of the labels are right, in a set of n items of which `keep` are stored. The error must be
 * that of a proportion of n items, up to the noise of the replicates. */
static double proportion(struct fixture *f, few_workers *w, int64_t n, int64_t keep) {
  enum { MOST = 401, CLASSES = 2, REPLICATES = 400 };
  static float logits[MOST * CLASSES], rows[MOST];
  int32_t labels[MOST];
  const struct few_metric_opts o = {0};
  struct few_metric_value v[8 * sizeof(unsigned)][FEW_METRIC_VALUES];
  few_eval_set *set;
  int at = 0;
  const unsigned wanted = bit_of("agreement", &at);
  for (int64_t i = 0; i < n; i++) {
    labels[i] = (int32_t)(i & 1);
    logits[CLASSES * i] = 1; /* the first class, always */
  }
  struct few_eval_set_opts so = {.name = "labels",
                                 .needs = FEW_NEED_LABELS,
                                 .n = n,
                                 .dim = 1,
                                 .classes = CLASSES,
                                 .keep = keep,
                                 .splits = 1,
                                 .hold = true};
  assert_ok(f->ctx, few__eval_set_create(f->ctx, &set, w, &so));
  for (int64_t i = 0; i < n; i++)
    assert_ok(f->ctx, few__eval_set_add(set, 1, rows, logits + CLASSES * i, NULL, labels + i));
  few__eval_set_end(set);
  struct few_metric_shared shared = {.w = w};
  struct few_metric_input in = {set, NULL, &o, false, &shared};
  assert_ok(f->ctx, few__metric_at(NULL, at)->run(v[at], f->ctx, &in));
  assert_close(v[at][0].error, 0.5 / sqrt((double)n), 0.01 / sqrt((double)n)); /* its own */
  assert_ok(f->ctx, few__bootstrap(f->ctx, &in, wanted, REPLICATES, v));
  assert_close(v[at][0].error * sqrt((double)n), 0.5, 0.5 * 4 / sqrt(2. * REPLICATES));
  few__eval_set_free(set);
  return v[at][0].error;
}

static void test_proportion(void **state) {
  struct fixture *f = *state;
  few_workers *three = test_workers(f->ctx, 3);
  const double one = proportion(f, f->w, 400, 400);
  proportion(f, f->w, 401, 401); /* an odd number, without equal halves */
  proportion(f, f->w, 400, 101); /* 101 items are stored */
  assert_true(proportion(f, three, 400, 400) == one);
  few__workers_free(three);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_coverage, setup, teardown),
      cmocka_unit_test_setup_teardown(test_proportion, setup, teardown)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
