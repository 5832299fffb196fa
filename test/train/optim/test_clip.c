/* The norm of the gradient: its value, the same bits for any number of workers, and NaN or infinity
 * for a gradient that is not finite. */
#include "testing.h"

#include "base/rng.h"
#include "train/optim/clip.h"

enum { N = 300001 };

static void test_value_and_bits(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  float *g = malloc(sizeof *g * N);
  few__rng_normal_f32(&(struct few_rng){.seed = 4, .purpose = FEW_RNG_CHECK}, N, g);
  const int64_t sizes[] = {0, 1, 7, 8, 9, 65535, 65536, 65537, 131073, N};
  for (int s = 0; s < (int)(sizeof sizes / sizeof *sizes); s++) {
    long double want = 0;
    double alone, with;
    for (int64_t i = 0; i < sizes[s]; i++) want += (long double)g[i] * (long double)g[i];
    assert_ok(ctx, few__sumsq(ctx, NULL, sizes[s], g, &alone));
    /* Squares of floats are exact in f64; a lane adds at most 8192 terms, then 3 + 3 levels. */
    assert_close(alone, want, 0x1p-53 * (8192 + 6) * (double)want);
    for (int n = 1; n <= 4; n++) {
      few_workers *w = NULL;
      assert_ok(ctx, few__workers_create(ctx, &w, n));
      assert_ok(ctx, few__sumsq(ctx, w, sizes[s], g, &with));
      assert_memory_equal(&alone, &with, sizeof with);
      few__workers_free(w);
    }
  }
  free(g);
  few_ctx_free(ctx);
}

static void test_not_finite(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  float *g = calloc(N, sizeof *g);
  double s;
  const int64_t places[] = {0, 8, 65536, N - 1};
  const float bad[] = {NAN, INFINITY, -INFINITY};
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 3; j++) {
      g[places[i]] = bad[j];
      assert_ok(ctx, few__sumsq(ctx, NULL, N, g, &s));
      assert_true(!isfinite(s));
      g[places[i]] = 3.4e38f; /* the largest floats do not overflow in f64 */
      assert_ok(ctx, few__sumsq(ctx, NULL, N, g, &s));
      assert_true(isfinite(s) != 0);
      g[places[i]] = 0;
    }
  free(g);
  few_ctx_free(ctx);
}

static void test_sum_tree(void **state) {
  (void)state;
  for (int n = 0; n < 70; n++) {
    double a[70];
    for (int i = 0; i < n; i++) a[i] = i + 1;
    assert_close(few__sum_tree(a, n), n * (n + 1) / 2, 0);
  }
}

static void test_scale(void **state) {
  (void)state;
  assert_close(few__clip_scale(4, 1), 0.25, 0);
  assert_close(few__clip_scale(1, 1), 1, 0);
  assert_close(few__clip_scale(0.5, 1), 1, 0);
  assert_close(few__clip_scale(100, 0), 1, 0);
  assert_close(few__clip_scale((double)INFINITY, 1), 0, 0);
  assert_close(few__clip_scale((double)NAN, 0), 0, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_value_and_bits),
      cmocka_unit_test(test_not_finite),
      cmocka_unit_test(test_sum_tree),
      cmocka_unit_test(test_scale),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
