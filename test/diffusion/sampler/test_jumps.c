/* Samplers of networks that are conditioned on the step size. The network is the exact map between
 * two times, so a few steps are as exact as many. The data are one Gaussian, whose map is
 * linear. */
#include "testing.h"

#include "diffusion/sampler/sampler.h"
#include "oracle/precond.h"

enum { ROWS = 8000, N = ROWS };
static const double sd = 0.5, mu = 0.4, deviation = 0.3, eps32 = 0x1p-24;

static double spread(double t) { return hypot(cos(t) * deviation, sin(t) * sd); }

static double mapped(double x, double t, double to) {
  return cos(to) * mu + spread(to) / spread(t) * (x - cos(t) * mu);
}

/* The F with which DDIM's step is the exact map. */
static few_status eval_jump(void *user, const float *x, double t, double to, float *F) {
  (void)user;
  for (int i = 0; i < N; i++)
    F[i] = (float)((cos(t - to) * (double)x[i] - mapped((double)x[i], t, to)) / (sd * sin(t - to)));
  return FEW_OK;
}

/* The average velocity of a step: the difference of flow matching's states divided by that of u. It
 * is converted to F by the same formula as the velocity eps - x0 at one time. */
static few_status eval_average(void *user, const float *x, double t, double to, float *F) {
  (void)user;
  struct few_mix state = few__process_trigflow.at(sd, t);
  struct few_line line = predict_convert(state, few__predict_mix(FEW_PREDICT_FLOW, sd, state),
                                         few__predict_mix(FEW_PREDICT_F, sd, state));
  double n_t = cos(t) + sd * sin(t), n_to = cos(to) + sd * sin(to);
  double way = sd * sin(t) / n_t - sd * sin(to) / n_to;
  for (int i = 0; i < N; i++) {
    double v = ((double)x[i] / n_t - mapped((double)x[i], t, to) / n_to) / way;
    F[i] = (float)(line.x * (double)x[i] + line.y * v);
  }
  return FEW_OK;
}

static struct few_sampling sampling(float *x) {
  return (struct few_sampling){
      .rows = ROWS, .dims = 1, .sigma_d = sd, .x = x, .eval = eval_jump, .seed = 2};
}

/* Each step rounds x and F, whose sizes are below 4. Errors do not grow, because the map contracts.
 */
static void test_exact_in_any_steps(void **state) {
  (void)state;
  static const struct few_sampler_def *const samplers[] = {
      &few__sampler_ddim, &few__sampler_progressive, &few__sampler_segments, &few__sampler_shortcut,
      &few__sampler_flowmap};
  few_ctx *ctx = test_ctx();
  for (size_t i = 0; i < sizeof samplers / sizeof *samplers; i++)
    for (int steps = 1; steps <= 8; steps *= 2) {
      float x[N], z[N];
      double t[9];
      struct few_sampling s = sampling(x);
      struct few_times_opts times = FEW_TIMES_OPTS_INIT;
      if (samplers[i] == &few__sampler_shortcut) s.eval = eval_average;
      times.steps = steps;
      times.schedule = few__sampler_schedule(samplers[i]);
      assert_ok(ctx, few__times(ctx, &times, sd, t));
      few_sampling_noise(z, &s, 0);
      assert_ok(ctx, few__sample(ctx, samplers[i], &times, &s));
      for (int k = 0; k < N; k++)
        assert_close(x[k], mapped(sd * (double)z[k], t[0], 0), steps * 16 * eps32);
    }
  few_ctx_free(ctx);
}

/* The distribution of the samples is that of the data, within five deviations of the estimates. */
static void assert_distribution(const float *x) {
  double mean = 0, variance = 0;
  for (int i = 0; i < N; i++) mean += (double)x[i] / N;
  for (int i = 0; i < N; i++) variance += ((double)x[i] - mean) * ((double)x[i] - mean) / N;
  assert_close(mean, mu, 5 * deviation / sqrt(N));
  assert_close(variance, deviation * deviation, 5 * deviation * deviation * sqrt(2.0 / N));
}

/* Exact jumps and noise of the right size give the distribution of the data. */
static void test_stochastic(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  for (int steps = 1; steps <= 6; steps++) {
    float x[N];
    struct few_sampling s = sampling(x);
    struct few_times_opts times = FEW_TIMES_OPTS_INIT;
    times.steps = steps;
    assert_ok(ctx, few__sample(ctx, &few__sampler_stochastic, &times, &s));
    assert_distribution(x);
  }
  few_ctx_free(ctx);
}

/* The same for flow maps with every gamma. With gamma = 1 and the same times the samples are those
 * of consistency sampling. */
static void test_gamma(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  for (double gamma = 0; gamma <= 1; gamma += 0.25)
    for (int steps = 1; steps <= 4; steps++) {
      float x[N], y[N];
      struct few_sampling s = sampling(x);
      struct few_times_opts times = FEW_TIMES_OPTS_INIT;
      times.steps = steps;
      times.schedule = FEW_SCHEDULE_MIDDLE;
      s.opts = &gamma;
      assert_ok(ctx, few__sample(ctx, &few__sampler_flowmap, &times, &s));
      assert_distribution(x);
      if (gamma < 1) continue;
      s.x = y;
      s.opts = NULL;
      assert_ok(ctx, few__sample(ctx, &few__sampler_consistency, &times, &s));
      for (int k = 0; k < N; k++) assert_close(x[k], y[k], steps * 16 * eps32);
    }
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_exact_in_any_steps),
      cmocka_unit_test(test_stochastic),
      cmocka_unit_test(test_gamma),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
