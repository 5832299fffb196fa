/* Compares the kernel distance with its double sum, its expectation and torch-fidelity's
 * formula. */
#include <float.h>

#include "golden.h"
#include "sets.h"

static double kernel(const float *x, const float *y, int64_t d) {
  double sum = 0;
  for (int64_t k = 0; k < d; k++) sum += (double)x[k] * (double)y[k];
  return pow(sum / (double)d + 1, 3);
}

static double kernel_sum(const float *x, int64_t n, const float *y, int64_t m, int64_t d) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < m; j++)
      if (x != y || i != j) sum += kernel(x + i * d, y + j * d, d);
  return sum;
}

static void test_double_sum(void **state) {
  (void)state;
  static float x[70 * 11], y[70 * 11];
  few_ctx *ctx = test_ctx();
  few_workers *w = test_workers(ctx, 3);
  const int64_t sizes[] = {2, 3, 8, 9, 70};
  for (int i = 0; i < 5; i++) {
    const int64_t m = sizes[i], d = 11;
    struct few_metric_opts o = {.subsets = 1, .subset_size = 1000};
    struct few_metric_value v;
    normal_rows(m, d, 1, x);
    normal_rows(m, d, 2, y);
    assert_ok(ctx, test_metric(ctx, w, "kid", &o, m, x, m, y, d, &v));
    double xx = kernel_sum(x, m, x, m, d), yy = kernel_sum(y, m, y, m, d);
    double xy = kernel_sum(x, m, y, m, d), pairs = (double)(m * (m - 1));
    double want = (xx + yy) / pairs - 2 * xy / (double)(m * m);
    assert_close(v.value, want, 100 * DBL_EPSILON * (fabs(xx) + fabs(yy) + 2 * fabs(xy)) / pairs);
    assert_true(isnan(v.error));
  }
  few__workers_free(w);
  few_ctx_free(ctx);
}

/* For x ~ N(a, 1), y ~ N(b, 1) in one dimension with moments m and m', E (x y + 1)^3 = m3 m3' +
 * 3 m2 m2' + 3 m1 m1' + 1. The mean over independent sets is within five standard errors. */
static double expected(double a, double b) {
  double a2 = a * a + 1, a3 = a * a * a + 3 * a, b2 = b * b + 1, b3 = b * b * b + 3 * b;
  return a3 * b3 + 3 * a2 * b2 + 3 * a * b + 1;
}

static void test_expectation(void **state) {
  (void)state;
  enum { SETS = 300, ROWS = 20 };
  const double a = 0.5, shift[] = {0, 0.75};
  few_ctx *ctx = test_ctx();
  few_workers *w = test_workers(ctx, 1);
  for (int s = 0; s < 2; s++) {
    const double b = a + shift[s];
    double each[SETS], mean, error;
    for (int k = 0; k < SETS; k++) {
      float x[ROWS], y[ROWS];
      struct few_metric_opts o = {.subsets = 1, .subset_size = ROWS};
      struct few_metric_value v;
      normal_rows(ROWS, 1, (uint64_t)(2 * k), x);
      normal_rows(ROWS, 1, (uint64_t)(2 * k + 1), y);
      for (int i = 0; i < ROWS; i++) {
        x[i] += (float)a;
        y[i] += (float)b;
      }
      assert_ok(ctx, test_metric(ctx, w, "kid", &o, ROWS, x, ROWS, y, 1, &v));
      each[k] = v.value;
    }
    few__metric_spread(SETS, each, &mean, &error);
    double want = expected(a, a) + expected(b, b) - 2 * expected(a, b);
    assert_close(mean, want, 5 * error / sqrt(SETS));
    if (s) assert_true(want > 10 * error / sqrt(SETS)); /* the test can detect a difference */
  }
  few__workers_free(w);
  few_ctx_free(ctx);
}

static void test_golden(void **state) {
  (void)state;
  static float x[M * D], y[M * D];
  few_ctx *ctx = test_ctx();
  few_workers *w = test_workers(ctx, 2);
  struct few_metric_opts o = {.subsets = 1, .subset_size = 1000};
  struct few_metric_value v;
  formula_rows(M, D, 1, x);
  formula_rows(M, D, 2, y);
  assert_ok(ctx, test_metric(ctx, w, "kid", &o, M, x, M, y, D, &v));
  assert_close(v.value, golden_kid, 100 * DBL_EPSILON * 4 * 8); /* kernels below 8 */
  few__workers_free(w);
  few_ctx_free(ctx);
}

/* Subsets are drawn from all rows, and are the same for any number of workers. Their spread gives
 * the error. */
static void test_subsets(void **state) {
  (void)state;
  enum { ROWS = 90, DIM = 5 };
  static float x[ROWS * DIM], y[ROWS * DIM];
  few_ctx *ctx = test_ctx();
  few_workers *w1 = test_workers(ctx, 1), *w3 = test_workers(ctx, 3);
  struct few_metric_opts o = {.subsets = 40, .subset_size = 30};
  struct few_metric_value a, b;
  normal_rows(ROWS, DIM, 1, x);
  normal_rows(ROWS, DIM, 2, y);
  assert_ok(ctx, test_metric(ctx, w1, "kid", &o, ROWS, x, ROWS, y, DIM, &a));
  assert_ok(ctx, test_metric(ctx, w3, "kid", &o, ROWS, x, ROWS, y, DIM, &b));
  assert_true(a.value == b.value && a.error == b.error && a.error > 0);
  assert_string_equal(a.error_of, "subsets");
  assert_non_null(strstr(a.how, "40 subsets of 30"));
  o.seed = 1;
  assert_ok(ctx, test_metric(ctx, w1, "kid", &o, ROWS, x, ROWS, y, DIM, &b));
  assert_true(a.value != b.value);
  few__workers_free(w1);
  few__workers_free(w3);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_double_sum),
                                     cmocka_unit_test(test_expectation),
                                     cmocka_unit_test(test_golden), cmocka_unit_test(test_subsets)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
