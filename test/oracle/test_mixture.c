/* The exact mixture: densities, posteriors, expectations, samples, and the exact map. */
#include "testing.h"

#include "diffusion/process/process.h"
#include "oracle/mixtures.h"

static const double eps = 0x1p-52, sd = 0.5, pi_2 = 1.5707963267948966;

static void test_posterior(void **state) {
  (void)state;
  struct mixture m = test_mixture();
  for (double t = 0.05; t < 1.57; t += 0.1)
    for (uint64_t row = 0; row < 20; row++) {
      struct few_mix s = few__process_trigflow.at(sd, t);
      double x[3], r[3], sum = 0;
      test_state(&m, s, row, x);
      mixture_posterior(&m, s, x, r);
      for (int i = 0; i < 3; i++) {
        assert_true(r[i] >= 0 && r[i] <= 1);
        sum += r[i];
      }
      assert_close(sum, 1, 4 * eps);
    }
  /* Pure noise has no information about the component. */
  double x[3] = {0.3, -0.2, 0.1}, r[3];
  mixture_posterior(&m, (struct few_mix){0, 1}, x, r);
  for (int i = 0; i < 3; i++) assert_close(r[i], m.weight[i], 8 * eps);
}

/* p(x) integrates to one: trapezoid rule in one dimension, spectrally exact for Gaussians. */
static void test_density_integrates(void **state) {
  (void)state;
  const double weight[] = {0.4, 0.6}, mean[] = {-0.7, 0.5}, std[] = {0.1, 0.3};
  struct mixture m = {2, 1, weight, mean, std};
  for (double t = 0; t < 1.6; t += 0.3) {
    struct few_mix s = few__process_trigflow.at(sd, t);
    double sum = 0, h = 0.01;
    for (int i = -1000; i <= 1000; i++) {
      double x = h * i;
      sum += h * exp(mixture_logp(&m, s, &x));
    }
    assert_close(sum, 1, 1e-12);
  }
}

/* Compares the score with central differences of ln p, whose error is h^2/6 |ln p'''| plus the
 * rounding |ln p| eps/h. */
static void test_score(void **state) {
  (void)state;
  struct mixture m = test_mixture();
  for (double t = 0.3; t < 1.57; t += 0.2)
    for (uint64_t row = 0; row < 10; row++) {
      struct few_mix s = few__process_trigflow.at(sd, t);
      double x[3], score[3], h = 1e-5;
      test_state(&m, s, row, x);
      mixture_score(&m, s, x, score);
      for (int k = 0; k < 3; k++) {
        double keep = x[k];
        x[k] = keep + h;
        double hi = mixture_logp(&m, s, x);
        x[k] = keep - h;
        double lo = mixture_logp(&m, s, x);
        x[k] = keep;
        /* |ln p'''| is at most of the order of (spread of the means / variance)^3. */
        double third = pow(2 / (s.eps * s.eps), 3);
        double rounding = 16 * eps * test_exponent(&m, s, x) / h;
        assert_close((hi - lo) / (2 * h), score[k], h * h / 6 * third + rounding);
      }
    }
}

/* x_t = alpha E[x0] + sigma E[eps]; F, v, the score and D are linear functions of one quantity. */
static void test_identities(void **state) {
  (void)state;
  struct mixture m = test_mixture();
  for (double t = 0.05; t < 1.57; t += 0.1)
    for (uint64_t row = 0; row < 10; row++) {
      struct few_mix s = few__process_trigflow.at(sd, t);
      double x[3], D[3], e[3], F[3], score[3];
      test_state(&m, s, row, x);
      mixture_expect(&m, s, (struct few_mix){1, 0}, x, D);
      mixture_expect(&m, s, (struct few_mix){0, 1}, x, e);
      mixture_F(&m, sd, t, x, F);
      mixture_score(&m, s, x, score);
      for (int k = 0; k < 3; k++) {
        double tol = 64 * eps * (fabs(x[k]) + fabs(D[k]) + fabs(e[k]) + 1);
        assert_close(s.x0 * D[k] + s.eps * e[k], x[k], tol);
        assert_close(cos(t) * x[k] - sin(t) * sd * F[k], D[k], tol);
        assert_close(-(cos(t) * sd * F[k] + sin(t) * x[k]) / (sd * sd * sin(t)), score[k],
                     4 * tol / (sd * sin(t)));
      }
    }
}

/* The denoiser is the mean of x0 given x_t: E over the samples of x0 - D is zero, and D is
 * uncorrelated with its error. */
static void test_denoiser_is_posterior_mean(void **state) {
  (void)state;
  enum { N = 20000 };
  struct mixture m = test_mixture();
  struct few_mix s = few__process_trigflow.at(sd, 0.8);
  double sum = 0, sum2 = 0, cross = 0, cross2 = 0;
  for (uint64_t i = 0; i < N; i++) {
    double x0[3], e[3], x[3], D[3];
    mixture_sample(&m, &(struct few_rng){.seed = 5, .row = i, .purpose = FEW_RNG_TOY}, x0);
    few__rng_normal_f64(&(struct few_rng){.seed = 5, .row = i, .purpose = FEW_RNG_NOISE}, 3, e);
    for (int k = 0; k < 3; k++) x[k] = s.x0 * x0[k] + s.eps * e[k];
    mixture_expect(&m, s, (struct few_mix){1, 0}, x, D);
    double d = x0[0] - D[0], c = d * D[0];
    sum += d;
    sum2 += d * d;
    cross += c;
    cross2 += c * c;
  }
  assert_close(sum / N, 0, 5 * sqrt(sum2) / N); /* five standard errors */
  assert_close(cross / N, 0, 5 * sqrt(cross2) / N);
}

static void test_samples(void **state) {
  (void)state;
  enum { N = 20000 };
  const double weight[] = {0.3, 0.7}, std[] = {0.1, 0.2};
  const double mean[] = {-2, 1, 0, 3, 2, 2, 1, 1, 0, 3, 2, 1};
  struct mixture m = {2, 6, weight, mean, std};
  double count = 0, sum[6] = {0}, sum2[6] = {0}, with_c[6] = {0}, with_4[6] = {0};
  for (uint64_t i = 0; i < N; i++) {
    double x[6], z0[6];
    mixture_sample(&m, &(struct few_rng){.seed = 6, .row = i, .purpose = FEW_RNG_TOY}, x);
    int c = x[0] > -1; /* ten deviations from both */
    count += c;
    for (int k = 0; k < 6; k++) {
      double z = (x[k] - mean[6 * c + k]) / std[c];
      sum[k] += z;
      sum2[k] += z * z;
      with_c[k] += z * (c - 0.7);
      z0[k] = z;
      if (k >= 4) with_4[k] += z * z0[k - 4]; /* the next block of four is another */
    }
  }
  assert_close(count / N, 0.7, 5 * sqrt(0.21 / N));
  for (int k = 0; k < 6; k++) {
    assert_close(sum[k] / N, 0, 5 / sqrt(N));
    assert_close(sum2[k] / N, 1, 5 * sqrt(2.0 / N));
    assert_close(with_c[k] / N, 0, 5 * sqrt(0.21 / N));
    assert_close(with_4[k] / N, 0, 5 / sqrt(N));
  }
}

/* One Gaussian: the map keeps (x - alpha mu)/sqrt(alpha^2 s^2 + sigma^2). */
static void test_map_of_gaussian(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct mixture m = test_gaussian();
  const double from[] = {pi_2, 1.5, 0.7, 0, 0.2}, to[] = {0, 0, 0.1, pi_2, 1.3}, tol = 1e-12;
  for (int c = 0; c < 5; c++) {
    struct few_mix a = few__process_trigflow.at(sd, from[c]);
    struct few_mix b = few__process_trigflow.at(sd, to[c]);
    double x[2] = {0.4, -0.9}, x_from[2] = {0.4, -0.9};
    assert_ok(ctx, mixture_map(ctx, &m, sd, from[c], to[c], tol, x));
    double stretch = hypot(b.x0 * 0.3, b.eps) / hypot(a.x0 * 0.3, a.eps);
    for (int k = 0; k < 2; k++) {
      double want = b.x0 * m.mean[k] + stretch * (x_from[k] - a.x0 * m.mean[k]);
      /* Some hundred steps, each within tol (1 + |y|). The map amplifies errors by at most sd/s. */
      assert_close(x[k], want, 300 * tol * 2 * sd / 0.3);
    }
  }
  few_ctx_free(ctx);
}

static void test_map_of_mixture(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct mixture m = test_mixture();
  for (uint64_t row = 0; row < 10; row++) {
    double x[3], start[3], via[3];
    test_state(&m, few__process_trigflow.at(sd, pi_2), row, start);
    memcpy(x, start, sizeof x);
    memcpy(via, start, sizeof x);
    assert_ok(ctx, mixture_map(ctx, &m, sd, pi_2, 0, 1e-12, x));
    /* A flow: stopping in the middle gives the same result, and going back gives the start. Errors
     * grow by the map's Lipschitz constant, which is below 100 for these starts. */
    assert_ok(ctx, mixture_map(ctx, &m, sd, pi_2, 0.9, 1e-12, via));
    assert_ok(ctx, mixture_map(ctx, &m, sd, 0.9, 0, 1e-12, via));
    for (int k = 0; k < 3; k++) assert_close(via[k], x[k], 1e-12 * 300 * 100);
    assert_ok(ctx, mixture_map(ctx, &m, sd, 0, pi_2, 1e-12, x));
    for (int k = 0; k < 3; k++) assert_close(x[k], start[k], 1e-12 * 300 * 100);
  }
  few_ctx_free(ctx);
}

/* The map transforms the distribution of the noise to that of the data: each component gets its
 * weight. */
static void test_map_transports(void **state) {
  (void)state;
  enum { N = 2000 };
  few_ctx *ctx = test_ctx();
  const double weight[] = {0.3, 0.7}, mean[] = {-0.7, 0.5}, std[] = {0.05, 0.05};
  struct mixture m = {2, 1, weight, mean, std};
  double left = 0;
  for (uint64_t i = 0; i < N; i++) {
    double x;
    few__rng_normal_f64(&(struct few_rng){.seed = 8, .row = i, .purpose = FEW_RNG_NOISE}, 1, &x);
    x *= sd;
    assert_ok(ctx, mixture_map(ctx, &m, sd, pi_2, 0, 1e-6, &x));
    left += x < 0;
    assert_true(fabs(x + 0.7) < 0.4 || fabs(x - 0.5) < 0.4); /* eight deviations */
  }
  assert_close(left / N, 0.3, 5 * sqrt(0.21 / N));
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_posterior),
      cmocka_unit_test(test_density_integrates),
      cmocka_unit_test(test_score),
      cmocka_unit_test(test_identities),
      cmocka_unit_test(test_denoiser_is_posterior_mean),
      cmocka_unit_test(test_samples),
      cmocka_unit_test(test_map_of_gaussian),
      cmocka_unit_test(test_map_of_mixture),
      cmocka_unit_test(test_map_transports),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
