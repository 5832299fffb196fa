/* The loop with a fitted Gaussian is compared with its theory (arXiv 2307.01850): expectations over
 * seeds agree within five standard errors. */
#include "testing.h"
#include "train/loop/mix.h"

enum { MAX_G = 32 };

struct estimate {
  double mean, error;
};

static struct estimate estimate(int n, const double *v) {
  double sum = 0, squares = 0;
  for (int i = 0; i < n; i++) sum += v[i];
  for (int i = 0; i < n; i++) squares += (v[i] - sum / n) * (v[i] - sum / n);
  return (struct estimate){sum / n, sqrt(squares / n / (n - 1))};
}

static void run(struct few_gaussian_loop o, int seed, struct few_gaussian_fit *out) {
  few_ctx *ctx = test_ctx();
  o.seed = (uint64_t)seed;
  assert_ok(ctx, few__gaussian_loop(ctx, &o, out));
  few_ctx_free(ctx);
}

/* The rows that each generation is trained on. */
static void test_mix(void **state) {
  (void)state;
  static const int64_t expected[3][3][3] = {/* first, real, synthetic of generations 1, 2, 5 */
                                            {{0, 10, 0}, {0, 0, 4}, {0, 0, 4}},
                                            {{0, 10, 0}, {0, 10, 4}, {0, 10, 4}},
                                            {{0, 10, 0}, {10, 10, 4}, {40, 10, 4}}};
  static const int generation[3] = {1, 2, 5};
  for (int kind = 0; kind < 3; kind++)
    for (int i = 0; i < 3; i++) {
      const struct few_loop_mix m = few__loop_mix((enum few_loop_kind)kind, generation[i], 10, 4);
      assert_int_equal(m.first, expected[kind][i][0]);
      assert_int_equal(m.real, expected[kind][i][1]);
      assert_int_equal(m.synthetic, expected[kind][i][2]);
    }
}

/* E[Sigma_t | Sigma_{t-1}] = lambda Sigma_{t-1}, in 100 dimensions with the paper's numbers. */
static void test_synthetic_shrinks_by_the_bias(void **state) {
  (void)state;
  enum { SEEDS = 6, G = 5 };
  static const double bias[] = {1, 0.8};
  for (int b = 0; b < 2; b++) {
    const struct few_gaussian_loop o = {.kind = FEW_LOOP_SYNTHETIC,
                                        .d = 100,
                                        .n_real = 100,
                                        .n_synthetic = 900,
                                        .generations = G,
                                        .bias = bias[b]};
    double error[G - 1][SEEDS];
    for (int i = 0; i < SEEDS; i++) {
      struct few_gaussian_fit f[G];
      run(o, i + 1, f);
      for (int t = 1; t < G; t++) error[t - 1][i] = f[t].trace / f[t - 1].trace - bias[b];
      assert_true(f[G - 1].distance > f[1].distance); /* the loop diverges ("MAD" in the paper) */
    }
    for (int t = 0; t < G - 1; t++) {
      const struct estimate e = estimate(SEEDS, error[t]);
      assert_close(e.mean, 0, 5 * e.error);
      assert_true(e.error < 0.01); /* small enough to detect a wrong bias */
    }
  }
}

/* The digamma function: recurrence up to 20, then its asymptotic series. */
static double digamma(double x) {
  double sum = 0;
  for (; x < 20; x++) sum -= 1 / x;
  const double y = 1 / (x * x);
  return sum + log(x) - 0.5 / x - y * (1.0 / 12 - y * (1.0 / 120 - y / 252));
}

/* In one dimension Sigma_t / Sigma_{t-1} = chi^2_{n-1} / (n-1), whose logarithm has the mean
 * psi((n-1)/2) - ln((n-1)/2) < 0: no bias is needed for the collapse. */
static void test_unbiased_collapse(void **state) {
  (void)state;
  enum { SEEDS = 400, G = 20, N = 10 };
  const struct few_gaussian_loop o = {.kind = FEW_LOOP_SYNTHETIC,
                                      .d = 1,
                                      .n_real = N,
                                      .n_synthetic = N,
                                      .generations = G,
                                      .bias = 1};
  double fall[SEEDS];
  for (int i = 0; i < SEEDS; i++) {
    struct few_gaussian_fit f[G];
    run(o, i + 1, f);
    fall[i] = log(f[G - 1].trace / f[0].trace) / (G - 1);
  }
  const struct estimate e = estimate(SEEDS, fall);
  const double exact = digamma((N - 1) / 2.0) - log((N - 1) / 2.0);
  assert_close(e.mean, exact, 5 * e.error);
  assert_true(exact < -10 * e.error);
}

/* New real data prevent the collapse. With V = E tr Sigma, M = E|mu|^2, n = n_r + n_s:
 *   V' = (n_r d + n_s lambda V)/n + n_r n_s/(n (n-1)) M,
 *   M' = (n_s/n)^2 M + (n_r d + n_s lambda V)/n^2,   V_1 = d, M_1 = d/n_r. */
static void test_fresh_data(void **state) {
  (void)state;
  enum { SEEDS = 60, G = 12, D = 4 };
  const struct few_gaussian_loop o = {.kind = FEW_LOOP_FRESH,
                                      .d = D,
                                      .n_real = 20,
                                      .n_synthetic = 40,
                                      .generations = G,
                                      .bias = 0.7};
  double V = D, M = D / 20.0, trace[G][SEEDS], square[G][SEEDS];
  for (int i = 0; i < SEEDS; i++) {
    struct few_gaussian_fit f[G];
    run(o, i + 1, f);
    for (int t = 0; t < G; t++) trace[t][i] = f[t].trace, square[t][i] = f[t].mean_square;
  }
  for (int t = 0; t < G; t++) {
    const struct estimate v = estimate(SEEDS, trace[t]), m = estimate(SEEDS, square[t]);
    assert_close(v.mean, V, 5 * v.error);
    assert_close(m.mean, M, 5 * m.error);
    const double nr = 20, ns = 40, n = 60, part = (nr * D + ns * o.bias * V) / n;
    const double V_next = part + nr * ns / (n * (n - 1)) * M;
    M = ns / n * (ns / n) * M + part / n;
    V = V_next;
  }
  assert_true(V > 0.6 * D); /* the synthetic loop would be at 0.7^11 = 0.02 */
}

/* The same real data in each generation only slow the collapse. New real data prevent it. */
static void test_order_of_loops(void **state) {
  (void)state;
  enum { G = MAX_G };
  double distance[3];
  for (int kind = 0; kind < 3; kind++) {
    const struct few_gaussian_loop o = {.kind = (enum few_loop_kind)kind,
                                        .d = 10,
                                        .n_real = 50,
                                        .n_synthetic = 50,
                                        .generations = G,
                                        .bias = 1};
    distance[kind] = 0;
    for (int seed = 1; seed <= 8; seed++) {
      struct few_gaussian_fit f[G];
      run(o, seed, f);
      distance[kind] += f[G - 1].distance / 8;
    }
  }
  printf("distance after %d generations: synthetic %.3f, augment %.3f, fresh %.3f\n", G,
         distance[0], distance[1], distance[2]);
  assert_true(distance[0] > distance[1] && distance[1] > distance[2]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_mix), cmocka_unit_test(test_synthetic_shrinks_by_the_bias),
      cmocka_unit_test(test_unbiased_collapse), cmocka_unit_test(test_fresh_data),
      cmocka_unit_test(test_order_of_loops)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
