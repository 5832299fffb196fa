/* Moments are compared with two passes in long double. They have the same bits for any grouping and
 * any number of workers. */
#include "sets.h"

static few_moments *fill(few_ctx *ctx, few_workers *w, int64_t n, int64_t d, const float *rows,
                         int64_t group) {
  few_moments *m;
  assert_ok(ctx, few__moments_create(ctx, &m, w, d, "rows"));
  for (int64_t i = 0; i < n; i += group)
    few__moments_add(m, n - i < group ? n - i : group, rows + i * d);
  few__moments_end(m);
  return m;
}

static void compare(few_ctx *ctx, few_workers *w, int64_t n, int64_t d, double shift) {
  float *x = malloc((size_t)(n * d) * sizeof *x);
  double *cov = malloc((size_t)(d * d) * sizeof *cov);
  normal_rows(n, d, 5, x);
  for (int64_t i = 0; i < n * d; i++) x[i] += (float)shift;
  few_moments *m = fill(ctx, w, n, d, x, n);
  few__moments_covariance(m, cov);
  assert_int_equal(few__moments_n(m), n);
  for (int64_t i = 0; i < d; i++) {
    long double mi = 0;
    for (int64_t r = 0; r < n; r++) mi += (long double)x[r * d + i] / (long double)n;
    /* sums of at most n terms below |shift| + 7 */
    assert_close(few__moments_mean(m)[i], mi, 4e-16 * 300 * (fabs(shift) + 7));
    for (int64_t j = 0; j < d; j++) {
      long double mj = 0, sum = 0;
      for (int64_t r = 0; r < n; r++) mj += (long double)x[r * d + j] / (long double)n;
      for (int64_t r = 0; r < n; r++)
        sum += ((long double)x[r * d + i] - mi) * ((long double)x[r * d + j] - mj);
      /* centred values below 7: 256 terms a block, then blocks; the mean's error enters squared */
      assert_close(cov[i * d + j], sum / (long double)(n - 1), 4e-16 * 300 * 49);
      assert_true(cov[i * d + j] == cov[j * d + i]);
    }
  }
  few__moments_free(m);
  free(cov);
  free(x);
}

static void test_two_passes(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_workers *w = test_workers(ctx, 2);
  const int64_t n[] = {2, 3, 255, 256, 257, 700}, d[] = {1, 7, 8, 9, 33};
  for (int i = 0; i < 6; i++)
    for (int j = 0; j < 5; j++) compare(ctx, w, n[i], d[j], 0);
  compare(ctx, w, 700, 9, 1000); /* the sum of squares minus n mean^2 would lose six digits */
  few__workers_free(w);
  few_ctx_free(ctx);
}

static void test_same_bits(void **state) {
  (void)state;
  enum { N = 600, D = 19 };
  static float x[N * D];
  static double a[D * D], b[D * D];
  few_ctx *ctx = test_ctx();
  normal_rows(N, D, 6, x);
  few_workers *w1 = test_workers(ctx, 1), *w3 = test_workers(ctx, 3);
  few_moments *m1 = fill(ctx, w1, N, D, x, N), *m3 = fill(ctx, w3, N, D, x, 7);
  few__moments_covariance(m1, a);
  few__moments_covariance(m3, b);
  assert_memory_equal(a, b, sizeof a);
  assert_memory_equal(few__moments_mean(m1), few__moments_mean(m3), D * sizeof *a);
  few__moments_free(m1);
  few__moments_free(m3);
  few__workers_free(w1);
  few__workers_free(w3);
  few_ctx_free(ctx);
}

static void test_too_wide(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_workers *w = test_workers(ctx, 1);
  few_moments *m;
  assert_int_equal(few__moments_create(ctx, &m, w, FEW_MOMENTS_MAX_DIM + 1, "rows"),
                   FEW_E_UNSUPPORTED);
  assert_null(m);
  assert_non_null(strstr(few_error(ctx), "16385"));
  few__workers_free(w);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_two_passes),
                                     cmocka_unit_test(test_same_bits),
                                     cmocka_unit_test(test_too_wide)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
