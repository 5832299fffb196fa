/* The energy distance is compared with its double sum, and with its values for Gaussians and for a
 * mixture with missing modes. */
#include <float.h>

#include "sets.h"

static double distance_sum(const float *x, int64_t n, const float *y, int64_t m, int64_t d) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++)
    for (int64_t j = 0; j < m; j++) {
      double square = 0;
      for (int64_t k = 0; k < d; k++) square += pow((double)x[i * d + k] - (double)y[j * d + k], 2);
      sum += sqrt(square);
    }
  return sum;
}

/* A squared distance is a difference of numbers of about 2 (s + 1)^2 d = 90, so its error is
 * 90 d eps. The error of the distance is 50 times that, for rows that are at least 0.01 apart. */
static void test_double_sum(void **state) {
  (void)state;
  enum { D = 11 };
  static float x[300 * D], y[300 * D];
  few_ctx *ctx = test_ctx();
  few_workers *one = test_workers(ctx, 1), *three = test_workers(ctx, 3);
  const int64_t sizes[][2] = {{2, 3}, {8, 9}, {70, 2}, {300, 257}}; /* more than a strip of 256 */
  for (int i = 0; i < FEW_COUNT(sizes); i++) {
    const int64_t n = sizes[i][0], m = sizes[i][1];
    struct few_metric_opts o = {0};
    struct few_metric_value v, w;
    normal_rows(n, D, 1, x);
    normal_rows(m, D, 2, y);
    assert_ok(ctx, test_metric(ctx, one, "energy", &o, n, x, m, y, D, &v));
    assert_ok(ctx, test_metric(ctx, three, "energy", &o, n, x, m, y, D, &w));
    assert_true(v.value == w.value);
    const double xx = distance_sum(x, n, x, n, D) / (double)(n * (n - 1));
    const double yy = distance_sum(y, m, y, m, D) / (double)(m * (m - 1));
    const double xy = distance_sum(x, n, y, m, D) / (double)(n * m);
    assert_close(v.value, 2 * xy - xx - yy, 4 * 50 * 90 * D * DBL_EPSILON);
    assert_true(isnan(v.error) && v.n == n && v.n_ref == m);
  }
  few__workers_free(one);
  few__workers_free(three);
  few_ctx_free(ctx);
}

/* Checks that the mean over independent sets is within four standard errors of `want`. */
static void look(const char *what, int sets, const double *each, double want) {
  double mean, error;
  few__metric_spread(sets, each, &mean, &error);
  error /= sqrt(sets);
  if (fabs(mean - want) > 4 * error)
    fail_msg("%s: %g, wanted %g; standard error %g", what, mean, want, error);
}

/* E |N(0, v I)| in d dimensions is sqrt(2 v) Gamma((d + 1) / 2) / Gamma(d / 2), and the difference
 * of x ~ N(0, 1) and y ~ N(0, s^2) has v = 1 + s^2. */
static void test_gaussians(void **state) {
  (void)state;
  enum { SETS = 200, N = 30, D = 3 };
  static float x[N * D], y[N * D];
  const double scale[] = {1, 2.5};
  few_ctx *ctx = test_ctx();
  few_workers *w = test_workers(ctx, 1);
  for (int i = 0; i < FEW_COUNT(scale); i++) {
    const double s = scale[i], unit = sqrt(2) * tgamma((D + 1) / 2.) / tgamma(D / 2.);
    double each[SETS];
    for (int k = 0; k < SETS; k++) {
      struct few_metric_opts o = {0};
      struct few_metric_value v;
      normal_rows(N, D, 2 * (uint64_t)k, x);
      normal_rows(N, D, 2 * (uint64_t)k + 1, y);
      for (int e = 0; e < N * D; e++) y[e] *= (float)s;
      assert_ok(ctx, test_metric(ctx, w, "energy", &o, N, x, N, y, D, &v));
      each[k] = v.value;
    }
    look("gaussians", SETS, each, unit * (2 * sqrt(1 + s * s) - sqrt(2) - sqrt(2) * s));
  }
  few__workers_free(w);
  few_ctx_free(ctx);
}

/* Points at the corners of a cross. In the samples two opposite corners are missing: the means
 * agree, and the covariances can be made to agree. The corners are at distance 1 from 0, so |x - y|
 * is 0, 2 or sqrt(2). For large sets its mean is (0 + 2 + 2 sqrt(2)) / 4 between the two sets and
 * within the set of four corners, and (0 + 2) / 2 within the set of two. */
static void test_missing_modes(void **state) {
  (void)state;
  enum { N = 4000 };
  static float x[2 * N], y[2 * N];
  static const float corner[4][2] = {{1, 0}, {-1, 0}, {0, 1}, {0, -1}};
  few_ctx *ctx = test_ctx();
  few_workers *w = test_workers(ctx, 1);
  struct few_metric_opts o = {0};
  struct few_metric_value v;
  for (int i = 0; i < N; i++)
    for (int k = 0; k < 2; k++) {
      x[2 * i + k] = corner[i % 2][k];
      y[2 * i + k] = corner[i % 4][k];
    }
  assert_ok(ctx, test_metric(ctx, w, "energy", &o, N, x, N, y, 2, &v));
  const double four = (2 + 2 * sqrt(2)) / 4,
               pairs = N / (N - 1.); /* leaves out pairs of a point with itself */
  assert_close(v.value, 2 * four - pairs * (four + 1), 1e-12);
  assert_true(v.value > 0.2);
  assert_ok(ctx, test_metric(ctx, w, "energy", &o, N, y, N, y, 2, &v));
  assert_close(v.value, 2 * four * (1 - pairs), 1e-12);
  few__workers_free(w);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_double_sum),
                                     cmocka_unit_test(test_gaussians),
                                     cmocka_unit_test(test_missing_modes)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
