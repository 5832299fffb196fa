/* Moving averages: recursions compared with the integrals that they approximate, and averages
 * reconstructed afterwards. */
#include "testing.h"

#include "train/optim/ema.h"

static const double eps = 0x1p-52;

static void test_update(void **state) {
  (void)state;
  float ema[3] = {1, 2, 3}, p[3] = {1, 4, 1};
  few__ema_update(0.75, 3, ema, p);
  assert_true(ema[0] == 1 && ema[1] == 2.5f && ema[2] == 2.5f);
  few__ema_update(0, 3, ema, p);
  assert_memory_equal(ema, p, sizeof p);
  few__ema_update(0.999, 3, ema, p); /* a fixed point, exactly */
  assert_memory_equal(ema, p, sizeof p);
  few__ema_update(0.5, 0, NULL, NULL);
}

static void test_half_life(void **state) {
  (void)state;
  double forgotten = 1;
  for (int k = 0; k < 1000; k++)
    forgotten *= few__ema_beta_half_life(512 * 1000, 0, 512.0 * (k + 1), 512);
  assert_close(forgotten, 0.5, 2000 * eps);
  /* The ramp: at 10,000 images the half-life is 5 % of them; later it is the full half-life. */
  assert_close(few__ema_beta_half_life(500000, 0.05, 10000, 500), 0.5, eps);
  assert_close(few__ema_beta_half_life(500000, 0.05, 2e7, 500), exp2(-0.001), eps);
  assert_close(few__ema_beta_half_life(0, 0.05, 1000, 500), 0, 0);
}

static void test_gamma(void **state) {
  (void)state;
  /* Pairs of sigma_rel and gamma from the paper, to its digits. */
  assert_close(few__ema_gamma(0.05), 16.97, 0.005);
  assert_close(few__ema_gamma(0.10), 6.94, 0.005);
  for (double g = 0; g < 400; g = g * 1.3 + 0.01) {
    double back = few__ema_gamma(few__ema_sigma_rel(g));
    /* d sigma/sigma = dg * O(1)/(g+2), so an ulp of sigma is (g+2) ulps of g. The terms of the
     * cubic cancel to 1/(g+2)^2 of their size at worst, near g = 0, where they are of order 12. */
    assert_close(back, g, 64 * eps * (g + 2));
  }
}

/* theta(tau) = tau: the average after t images is (gamma+1)/(gamma+2) t, up to the batch. */
static void test_power_recursion(void **state) {
  (void)state;
  const double gamma = 6.94, batch = 1;
  double ema = 123; /* has no effect: beta = 0 in the first step */
  int n = 4096;
  for (int k = 1; k <= n; k++) {
    double beta = few__ema_beta_power(gamma, k * batch, batch);
    ema = beta * ema + (1 - beta) * k;
  }
  /* The recursion integrates a step function of height k on (k-1, k]. The result is exactly
   * sum k (k^a - (k-1)^a)/n^a with a = gamma+1, which is at most one batch above the integral. */
  double sum = 0;
  for (int k = 1; k <= n; k++) sum += k * (pow(k, gamma + 1) - pow(k - 1, gamma + 1));
  sum /= pow(n, gamma + 1);
  assert_close(ema, sum, 100 * n * eps * sum);
  double integral = (gamma + 1) / (gamma + 2) * n;
  assert_true(sum > integral && sum < integral + 1);
}

/* <p_i, p_j> by Simpson's rule on the overlap. */
static double dot_by_quadrature(struct few_ema_profile a, struct few_ema_profile b) {
  double end = a.seen < b.seen ? a.seen : b.seen, sum = 0;
  const int n = 20000;
  for (int i = 0; i <= n; i++) {
    double tau = end * i / n;
    double pa = (a.gamma + 1) * pow(tau / a.seen, a.gamma) / a.seen;
    double pb = (b.gamma + 1) * pow(tau / b.seen, b.gamma) / b.seen;
    sum += pa * pb * (i == 0 || i == n ? 1 : i % 2 ? 4 : 2);
  }
  return sum * end / n / 3;
}

static void test_dot(void **state) {
  (void)state;
  const struct few_ema_profile p[] = {{16.97, 1000}, {6.94, 1000}, {16.97, 700}, {3, 400}};
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 4; j++) {
      double d = few__ema_dot(p[i], p[j]);
      assert_close(d, few__ema_dot(p[j], p[i]), 8 * eps * d);
      /* Simpson's error: (h/end)^4/180 times the fourth derivative, below (2 gamma)^4 d. */
      assert_close(d, dot_by_quadrature(p[i], p[j]),
                   pow(34.0 / 20000, 4) / 180 * 16 * d + 1e-12 * d);
    }
}

enum { STORED = 8 };

static void fill_profiles(struct few_ema_profile p[STORED]) {
  for (int i = 0; i < STORED; i++)
    p[i] = (struct few_ema_profile){few__ema_gamma(i % 2 ? 0.10 : 0.05), 250.0 * (1 + i / 2)};
}

static void test_posthoc_stored(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_ema_profile p[STORED];
  double x[STORED];
  fill_profiles(p);
  for (int k = 0; k < STORED; k++) {
    assert_ok(ctx, few__ema_posthoc(ctx, STORED, p, p[k], x));
    /* The condition number of A (unit diagonal) is 27 for these eight. */
    for (int i = 0; i < STORED; i++) assert_close(x[i], i == k, 27 * STORED * STORED * eps);
  }
  p[3] = p[1];
  assert_int_equal(few__ema_posthoc(ctx, STORED, p, p[0], x), FEW_E_INVALID);
  few_ctx_free(ctx);
}

/* A trajectory that looks noisy is averaged during the run. The average of another width is rebuilt
 * from snapshots. */
static void test_posthoc_rebuilds(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_ema_profile p[STORED], target = {few__ema_gamma(0.075), 1000};
  fill_profiles(p);
  double live[2] = {0}, snap[STORED], want = 0, x[STORED], got = 0, sum = 0;
  for (int k = 1; k <= 1000; k++) {
    double theta = sin(0.01 * k) + 0.3 * cos(0.037 * k);
    for (int j = 0; j < 2; j++) {
      double beta = few__ema_beta_power(p[j].gamma, k, 1);
      live[j] = beta * live[j] + (1 - beta) * theta;
      if (k % 250 == 0) snap[2 * (k / 250 - 1) + j] = live[j];
    }
    double beta = few__ema_beta_power(target.gamma, k, 1);
    want = beta * want + (1 - beta) * theta;
  }
  assert_ok(ctx, few__ema_posthoc(ctx, STORED, p, target, x));
  for (int i = 0; i < STORED; i++) {
    got += x[i] * snap[i];
    sum += x[i];
  }
  assert_close(sum, 1, STORED * eps * 4);
  /* The error is <p_target - sum x p, theta>, at most the L2 distance of the profiles times the L2
   * norm of theta; the distance follows from the inner products. */
  double d2 = few__ema_dot(target, target);
  for (int i = 0; i < STORED; i++) {
    d2 -= 2 * x[i] * few__ema_dot(p[i], target);
    for (int j = 0; j < STORED; j++) d2 += x[i] * x[j] * few__ema_dot(p[i], p[j]);
  }
  assert_true(d2 < 1e-2 * few__ema_dot(target, target)); /* within 10 % of the target's length */
  double theta_norm = sqrt(1000 * 1.69), discretisation = 2.0 / 1000;
  assert_close(got, want, sqrt(d2) * theta_norm + discretisation);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_update),
      cmocka_unit_test(test_half_life),
      cmocka_unit_test(test_gamma),
      cmocka_unit_test(test_power_recursion),
      cmocka_unit_test(test_dot),
      cmocka_unit_test(test_posthoc_stored),
      cmocka_unit_test(test_posthoc_rebuilds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
