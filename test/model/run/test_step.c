/* The step size that a network takes, and the steps that are refused before the network is
 * evaluated. */
#include <math.h>

#include "model/models.h"

static const double sd = 0.5, pi_2 = 1.5707963267948966;

static few_model *map(few_ctx *ctx, enum few_step_size unit, int64_t steps) {
  few_model *m = test_model_new(ctx, TEST_MAP);
  m->spec.step_size = unit; /* the network's parameters are those of any unit */
  m->spec.max_steps = steps;
  return m;
}

static double time_of(double u) { return atan2(u, sd * (1 - u)); }

static float told(few_model *m, double t, double to) {
  float step_size = -1;
  assert_ok(m->ctx, few__step_size(m->ctx, m, t, to, &step_size));
  return step_size;
}

static void refused(few_model *m, double t, double to, const char *mend) {
  float step_size;
  assert_int_equal(few__step_size(m->ctx, m, t, to, &step_size), FEW_E_INVALID);
  assert_non_null(strstr(few_error(m->ctx), mend));
}

static void test_step_sizes(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_model *m = map(ctx, FEW_STEP_SIZE_ANGLE, 0);
  assert_close(told(m, 1.2, 0.4), 0.8, 1e-7);
  refused(m, 0.4, 1.2, "fall");
  few_model_free(m);

  m = map(ctx, FEW_STEP_SIZE_SEGMENT, 4);
  const double w = atan(80 / sd) / 4;
  assert_close(told(m, 2.5 * w, 2 * w), 0.5 * w, 1e-7);
  assert_close(told(m, 2 * w, w), w, 1e-7); /* a border belongs to the segment below */
  assert_close(told(m, pi_2, 3 * w), pi_2 - 3 * w, 1e-7);
  refused(m, 2.5 * w, w, "segments");
  refused(m, 2.5 * w, 2.5 * w, "segments");
  few_model_free(m);

  m = map(ctx, FEW_STEP_SIZE_HALVINGS, 16);
  for (int k = 0; k <= 4; k++)
    for (int i = 1; i <= 1 << k; i++)
      assert_true(told(m, time_of(ldexp(i, -k)), time_of(ldexp(i - 1, -k))) == (float)k);
  assert_true(told(m, 0.7, 0.7) == 4);
  refused(m, time_of(1), time_of(0.25), "shortcut");
  refused(m, time_of(0.75), time_of(0.25), "shortcut"); /* not a multiple of the step */
  refused(m, time_of(1), time_of(31 / 32.0), "16");
  few_model_free(m);
  few_ctx_free(ctx);
}

static void try_sample(few_model *m, const char *sampler, int steps, const char *mend) {
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  float out[2 * 4];
  o.n = 4;
  o.sampler = sampler;
  o.steps = steps;
  if (!mend) {
    int nfe;
    assert_ok(m->ctx, once_sample(m, &o, out, NULL, &nfe));
    return;
  }
  assert_int_equal(once_plan(m, &o, NULL, NULL), FEW_E_INVALID);
  assert_non_null(strstr(few_error(m->ctx), mend));
}

static void test_samplers(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_model *m = map(ctx, FEW_STEP_SIZE_HALVINGS, 128);
  for (int steps = 1; steps <= 128; steps *= 2) try_sample(m, "shortcut", steps, NULL);
  try_sample(m, "heun", 3, NULL); /* as a velocity field */
  try_sample(m, "shortcut", 3, "1, 2, 4 .. 128 steps");
  try_sample(m, "shortcut", 256, "1, 2, 4 .. 128 steps");
  try_sample(m, "ddim", 4, "with shortcut");
  few_model_free(m);
  m = map(ctx, FEW_STEP_SIZE_ANGLE, 0);
  for (int steps = 1; steps < 5; steps++) try_sample(m, "shortcut", steps, NULL);
  try_sample(m, "ddim", 4, NULL);
  few_model_free(m);
  m = map(ctx, FEW_STEP_SIZE_SEGMENT, 3);
  const char *sampler;
  int steps;
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  o.n = 1;
  o.sampler = "segments";
  assert_ok(ctx, once_plan(m, &o, &sampler, &steps));
  assert_int_equal(steps, 3); /* the model's, not the sampler's */
  try_sample(m, "segments", 3, NULL);
  try_sample(m, "segments", 2, "in 3 steps");
  try_sample(m, "heun", 3, "in 3 steps");
  few_model_free(m);
  m = test_model_new(ctx, TEST_MLP);
  try_sample(m, "shortcut", 2, "ddim");
  try_sample(m, "segments", 2, "ddim");
  few_model_free(m);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_step_sizes),
                                     cmocka_unit_test(test_samplers)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
