/* Sampling times: their end points, EDM's published levels, and what is refused. */
#include "testing.h"

#include "diffusion/process/process.h"
#include "diffusion/sampler/schedule.h"

static const double eps = 0x1p-52, sd = 0.5;

static void test_edm_levels(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_times_opts o = FEW_TIMES_OPTS_INIT;
  double t[19];
  o.schedule = FEW_SCHEDULE_edm;
  o.steps = 18;
  assert_ok(ctx, few__times(ctx, &o, sd, t));
  assert_close(sd * tan(t[0]), 80, 80 * 64 * eps * 160); /* tan near pi/2: 160^2/160 */
  assert_close(t[0], 1.5707963267948966 - atan(1 / 160.0), 64 * eps);
  assert_close(sd * tan(t[17]), 0.002, 64 * eps);
  assert_true(t[18] == 0);
  for (int i = 0; i < 18; i++) { /* eq. 5 */
    double a = pow(80, 1.0 / 7), b = pow(0.002, 1.0 / 7), sigma = pow(a + i / 17.0 * (b - a), 7);
    assert_close(t[i], atan(sigma / sd), 64 * eps);
  }
  few_ctx_free(ctx);
}

static double first_time(enum few_schedule s) {
  if (s == FEW_SCHEDULE_vp) return atan(exp(10) / sd);
  if (s == FEW_SCHEDULE_flow) return 1.5707963267948966;
  if (s == FEW_SCHEDULE_ddpm) return few__process_trigflow.time(sd, few__process_ddpm.at(sd, 1000));
  if (s == FEW_SCHEDULE_ve) return atan(100 / sd);
  return s == FEW_SCHEDULE_vp_linear ? atan(sqrt(expm1(10.05)) / sd) : atan(160);
}

static void test_all_fall(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  for (int k = 1; k < FEW_SCHEDULES; k++)
    for (int early = 0; early < 2; early++)
      for (int n = 1; n <= 64; n *= 2) {
        struct few_times_opts o = FEW_TIMES_OPTS_INIT;
        double t[65];
        o.schedule = (enum few_schedule)k;
        o.steps = n;
        o.t_end = early ? 0.1 : 0;
        assert_ok(ctx, few__times(ctx, &o, sd, t));
        assert_close(t[0], first_time(o.schedule), 64 * eps);
        assert_true(t[n] == o.t_end);
        enum few_schedule found;
        assert_ok(ctx, few__schedule_find(ctx, &found, few__schedule_name(o.schedule)));
        assert_int_equal(found, k);
      }
  few_ctx_free(ctx);
}

/* The grids of other processes: each time has the noise-to-signal ratio of the process's time. */
static void test_other_processes(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_times_opts o = FEW_TIMES_OPTS_INIT;
  double t[11], end[11];
  o.steps = 10;
  for (int which = 0; which < 2; which++) {
    const struct few_process *p = which ? &few__process_flow : &few__process_vp;
    o.schedule = which ? FEW_SCHEDULE_flow : FEW_SCHEDULE_vp;
    o.t_end = 0;
    assert_ok(ctx, few__times(ctx, &o, sd, t));
    for (int i = 0; i < 10; i++)
      assert_close(t[i], few__process_trigflow.time(sd, p->at(sd, 1 - i / 10.0)), 16 * eps);
    o.t_end = t[5]; /* half the range in as many steps gives half steps */
    assert_ok(ctx, few__times(ctx, &o, sd, end));
    for (int i = 0; i <= 5; i++) assert_close(end[2 * i], t[i], 64 * eps);
  }
  /* DDPM's alpha-bar of step n of 1000 is the product of 1 - beta. Its logarithm differs from -B by
   * the terms beta^2/2 of ln(1 - beta), which are at most 1 % of it, and by half a step. */
  o.schedule = FEW_SCHEDULE_vp_linear;
  o.t_end = 0;
  assert_ok(ctx, few__times(ctx, &o, sd, t));
  double log_alpha_bar = 0;
  for (int n = 1; n <= 1000; n++) {
    log_alpha_bar += log(1 - (1e-4 + (0.02 - 1e-4) * (n - 1) / 999));
    double ratio = sd * tan(t[10 - n / 100]);
    if (n % 100 == 0) assert_close(-log1p(ratio * ratio) / log_alpha_bar, 1, 0.02);
  }
  o.t_end = t[5];
  assert_ok(ctx, few__times(ctx, &o, sd, end));
  for (int i = 0; i <= 5; i++) assert_close(end[2 * i], t[i], 64 * eps);
  o.logsnr_min = 30;
  assert_int_equal(few__times(ctx, &o, sd, t), FEW_E_INVALID);
  few_ctx_free(ctx);
}

/* EDM's table 1: sigma_i^2 = 100^2 (0.02^2/100^2)^(i/(N-1)), and then 0. */
static void test_geometric(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_times_opts o = FEW_TIMES_OPTS_INIT;
  double t[19];
  o.schedule = FEW_SCHEDULE_ve;
  o.steps = 18;
  assert_ok(ctx, few__times(ctx, &o, sd, t));
  for (int i = 0; i < 18; i++) {
    const double square = 1e4 * pow(0.02 * 0.02 / 1e4, i / 17.0);
    assert_close(t[i], atan(sqrt(square) / sd), 64 * eps);
  }
  assert_true(t[18] == 0);
  o.t_end = t[17]; /* a step less */
  o.steps = 17;
  double end[18];
  assert_ok(ctx, few__times(ctx, &o, sd, end));
  for (int i = 0; i <= 17; i++) assert_close(end[i], t[i], 64 * eps);
  few_ctx_free(ctx);
}

static void test_middle(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_times_opts o = FEW_TIMES_OPTS_INIT;
  double t[4];
  o.schedule = FEW_SCHEDULE_MIDDLE;
  o.steps = 2;
  assert_ok(ctx, few__times(ctx, &o, sd, t));
  assert_true(t[1] == 1.1 && t[2] == 0);
  o.steps = 3;
  assert_ok(ctx, few__times(ctx, &o, sd, t));
  assert_true(t[1] == 1.1 && t[2] == 0.55 && t[3] == 0);
  few_ctx_free(ctx);
}

static void test_explicit_and_refused(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  const double good[] = {1.5707963267948966, 1.1, 0.2}, rising[] = {1.0, 1.1, 0.2};
  const double far[] = {1.6, 1.1, 0.2}, flat[] = {1.5, 1.5, 0.2}, zero[] = {1.5, 1, 0};
  const double nan_times[] = {1.5, (double)NAN, 0.2}, *const bad[] = {rising, far, flat, zero,
                                                                      nan_times};
  struct few_times_opts o = FEW_TIMES_OPTS_INIT;
  double t[4];
  o.steps = 3;
  o.times = good;
  assert_ok(ctx, few__times(ctx, &o, sd, t));
  assert_memory_equal(t, good, sizeof good);
  for (int i = 0; i < 5; i++) {
    o.times = bad[i];
    assert_int_equal(few__times(ctx, &o, sd, t), FEW_E_INVALID);
  }
  o.times = NULL;
  o.schedule = FEW_SCHEDULE_trigflow;
  o.steps = 0;
  assert_int_equal(few__times(ctx, &o, sd, t), FEW_E_INVALID);
  o.steps = 3;
  o.sigma_max = 0.001;
  assert_int_equal(few__times(ctx, &o, sd, t), FEW_E_INVALID);
  o.sigma_max = 80;
  o.t_end = -0.1;
  assert_int_equal(few__times(ctx, &o, sd, t), FEW_E_INVALID);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_edm_levels),      cmocka_unit_test(test_all_fall),
      cmocka_unit_test(test_other_processes), cmocka_unit_test(test_geometric),
      cmocka_unit_test(test_middle),          cmocka_unit_test(test_explicit_and_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
