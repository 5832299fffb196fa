/* Samplers that add fresh noise. For data in a single point the denoised image is known. Every such
 * sampler must keep x_t ~ N(cos(t) mu, sigma_d^2 sin^2(t)) for any number of steps. The share of
 * the starting noise that remains at the end shows how much fresh noise was added. */
#include "testing.h"

#include "diffusion/sampler/sampler.h"

enum { ROWS = 10000, DIMS = 4, N = ROWS * DIMS, STEPS = 8 };
static const double sd = 0.5, mu = 0.3, t_end = 0.3;

static few_status eval_point(void *user, const float *x, double t, double to, float *F) {
  (void)user;
  (void)to;
  for (int i = 0; i < N; i++) F[i] = (float)((cos(t) * (double)x[i] - mu) / (sd * sin(t)));
  return FEW_OK;
}

struct outcome {
  double t[STEPS + 1];
  double mean, variance, kept; /* of the noise at t_end, in units of sigma_d sin(t_end) */
};

static struct outcome outcome_of(const struct few_sampler_def *sampler, const void *opts) {
  few_ctx *ctx = test_ctx();
  float *x = test_malloc(N * sizeof *x), *z = test_malloc(N * sizeof *z);
  struct outcome out = {.mean = 0};
  struct few_times_opts times = FEW_TIMES_OPTS_INIT;
  struct few_sampling s = {.rows = ROWS, .dims = DIMS, .sigma_d = sd, .x = x, .eval = eval_point};
  s.opts = opts;
  s.started = true;
  s.seed = 5;
  times.steps = STEPS;
  times.schedule = FEW_SCHEDULE_trigflow;
  times.sigma_max = 10;
  times.t_end = t_end;
  assert_ok(ctx, few__times(ctx, &times, sd, out.t));
  few_sampling_noise(z, &s, 0);
  for (int i = 0; i < N; i++)
    x[i] = (float)(cos(out.t[0]) * mu + sin(out.t[0]) * sd * (double)z[i]);
  assert_ok(ctx, few__sample(ctx, sampler, &times, &s));
  for (int i = 0; i < N; i++) {
    double e = ((double)x[i] - cos(t_end) * mu) / (sd * sin(t_end));
    out.mean += e / N;
    out.variance += e * e / N;
    out.kept += e * (double)z[i] / N;
  }
  test_free(x);
  test_free(z);
  few_ctx_free(ctx);
  return out;
}

/* Tolerances are five standard deviations of the estimates: 1/sqrt(N) for a mean, sqrt(2 v^2/N) for
 * a variance v, and at most sqrt((v + kept^2)/N) for the share that is kept. */
static void assert_outcome(const struct outcome *o, double variance, double kept) {
  assert_close(o->mean, 0, 5 * sqrt(variance / N));
  assert_close(o->variance, variance, 5 * variance * sqrt(2.0 / N));
  assert_close(o->kept, kept, 5 * sqrt((variance + kept * kept) / N));
}

static void test_ddpm(void **state) {
  (void)state;
  for (double eta = 0; eta <= 1; eta += 0.5) {
    struct outcome o = outcome_of(&few__sampler_ddpm, &eta);
    double kept = 1;
    for (int k = 0; k < STEPS; k++) {
      double ratio = tan(o.t[k + 1]) / tan(o.t[k]);
      kept *= sqrt(1 - eta * eta * (1 - ratio * ratio));
    }
    assert_outcome(&o, 1, kept);
  }
}

/* Each step that begins within [S_min, S_max] leaves 1/(1 + gamma) of the noise. */
static void test_churn(void **state) {
  (void)state;
  static const struct few_sampler_def *const samplers[] = {&few__sampler_heun, &few__sampler_ddim};
  for (int which = 0; which < 8; which++) {
    const int set = which % 4;
    /* churn, churn_min, churn_max, churn_noise */
    double opts[] = {set == 1 ? 40 : 2, set == 2 ? 0.4 : 0, set == 2 ? 2 : INFINITY,
                     set == 3 ? 1.2 : 1};
    struct outcome o = outcome_of(samplers[which / 4], opts);
    double more = 1 + fmin(opts[0] / STEPS, sqrt(2) - 1), variance = 1, kept = 1;
    for (int k = 0; k < STEPS; k++) {
      double sigma = sd * tan(o.t[k]);
      if (sigma < opts[1] || sigma > opts[2]) continue;
      kept /= more;
      variance = (variance + opts[3] * opts[3] * (more * more - 1)) / (more * more);
    }
    assert_true(kept < 0.9);
    assert_outcome(&o, variance, kept);
  }
}

/* Every step but the last goes from time k to k + 2, and back to k + 1 by adding noise. Then noise
 * of deviation tan t(k + 2) is a part of the noise of deviation tan t(k + 1). */
static void test_stochastic(void **state) {
  (void)state;
  struct outcome o = outcome_of(&few__sampler_stochastic, NULL);
  assert_outcome(&o, 1, tan(o.t[STEPS]) / tan(o.t[1]));
}

/* Before the last step, each keeps sqrt(1 - gamma^2) of the noise that a deterministic step would
 * keep. */
static void test_flowmap(void **state) {
  (void)state;
  for (double gamma = 0; gamma <= 1; gamma += 0.25) {
    struct outcome o = outcome_of(&few__sampler_flowmap, &gamma);
    assert_outcome(&o, 1, pow(sqrt(1 - gamma * gamma), STEPS - 1));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ddpm),
      cmocka_unit_test(test_churn),
      cmocka_unit_test(test_stochastic),
      cmocka_unit_test(test_flowmap),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
