/* Sums of losses, balanced by their gradients. Runs on the ring end closer to the exact flow than
 * they began. The factors in their log satisfy the balancer's formula. */
#include "toys.h"

enum { STEPS = 800 };

struct sum {
  const char *recipe, *first, *second; /* its terms */
  double weight[2];
  const char *own[8];
};

static const struct sum scd_vsd = {"toy-scd-vsd",
                                   "factor_scm",
                                   "factor_vsd",
                                   {1, 1},
                                   {TOY_TEACHER, "steps=200", "tangent_warmup=70"}};
static const struct sum shortcut = {"toy-shortcut",
                                    "factor_flow",
                                    "factor_consistency",
                                    {0.75, 0.25},
                                    {"steps=800", "width=64", "layers=3"}};

/* With n_i the length of the gradient of loss i, w_i its weight and a_i its factor:
 *
 *   gradnorm   a_i = w_i/n_i sum_j w_j n_j / sum_j w_j, so sum_i w_i^2/a_i = sum_i w_i. A loss
 * without
 *              gradient (sCM's at its first step) has a_i = 0 and no part in the first sum.
 *   minnorm    a_i/w_i are on the simplex.
 *   primary    a_0 = w_0, and the share of the other loss is at least 0. */
static double gradnorm(const double *w, const double *a) {
  double sum = -w[0] - w[1];
  for (int i = 0; i < 2; i++) sum += a[i] > 0 ? w[i] * w[i] / a[i] : 0;
  return sum;
}
static double minnorm(const double *w, const double *a) { return a[0] / w[0] + a[1] / w[1] - 1; }
static double primary(const double *w, const double *a) { return a[0] - w[0] + fmin(a[1], 0); }

/* The comments have the distances measured with AVX-512, and those before the first step. `primary`
 * takes only the part of the consistency loss that does not conflict with flow matching, so one
 * step is not learned. */
static const struct held {
  const struct sum *sum;
  const char *balance;
  double (*zero)(const double *weight, const double *factor);
  struct {
    int steps;
    double most; /* distance to the exact flow, in sigma_d */
  } at[2];
} held[] = {
    {&scd_vsd, "balance=gradnorm", gradnorm, {{1, 0.25}}},             /* 0.11 of 1.0 */
    {&scd_vsd, "balance=minnorm", minnorm, {{1, 0.25}}},               /* 0.14 of 1.0 */
    {&scd_vsd, "balance=primary", primary, {{1, 0.25}}},               /* 0.12 of 1.0 */
    {&shortcut, "balance=gradnorm", gradnorm, {{1, 0.4}, {128, 0.2}}}, /* 0.21, 0.14 of 1.0, 0.40 */
    {&shortcut, "balance=minnorm", minnorm, {{1, 0.6}, {128, 0.3}}},   /* 0.40, 0.19 */
    {&shortcut, "balance=primary", primary, {{4, 0.3}, {128, 0.2}}},   /* 0.18 of 0.46, 0.14 */
};

/* Numbers in the log have nine digits. */
static void check_factors(const struct toy *t, const struct held *h) {
  static double a[STEPS], b[STEPS];
  const int n = toy_logged(t, h->sum->first, STEPS, a);
  assert_true(n >= 200 && n == toy_logged(t, h->sum->second, STEPS, b));
  for (int i = 0; i < n; i++) {
    const double zero = h->zero(h->sum->weight, (double[]){a[i], b[i]});
    if (!(fabs(zero) < 1e-7))
      fail_msg("%s, %s, step %d: factors %.9g, %.9g", h->sum->recipe, h->balance, i, a[i], b[i]);
  }
}

static void check(const struct held *h) {
  struct toy t = toy_begin();
  const char *overrides[12] = {h->balance, "batch=256", "log_every=1", "preview_every=0"};
  memcpy(overrides + 4, h->sum->own, sizeof h->sum->own);
  toy_train(&t, h->sum->recipe, "run", overrides);
  check_factors(&t, h);
  for (int i = 0; i < 2 && h->at[i].steps; i++) {
    struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
    o.steps = h->at[i].steps;
    const double d = toy_flow_distance(&t, &o);
    printf("%s, %s, %d steps: %.3f sigma_d from the exact flow\n", h->sum->recipe, h->balance,
           o.steps, d);
    if (!(d < h->at[i].most)) fail_msg("at most %.2f", h->at[i].most);
  }
  toy_end(&t);
}

static void test_balanced(void **state) {
  (void)state;
  for (int i = 0; i < FEW_COUNT(held); i++) check(&held[i]);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_balanced)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
