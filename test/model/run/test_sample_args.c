/* Sampling options as text: one table gives the members of few_sample_opts. */
#include "model/run/sample.h"
#include "testing.h"

static few_ctx *ctx;

/* The table's defaults are those of FEW_SAMPLE_OPTS_INIT, and no row overlaps another. */
static void test_defaults(void **state) {
  const struct few_option *table = few_sample_options();
  struct few_sample_args a = FEW_SAMPLE_ARGS_INIT;
  FEW_UNUSED(state);
  assert_ok(ctx, few_options_default(&a, ctx, table));
  for (const struct few_option *o = table; o->key; o++) {
    assert_false(few__sample_differs(&a.opts, o));
    assert_non_null(o->help);
    for (const struct few_option *p = table; p != o; p++)
      assert_true(p->offset + p->size <= o->offset || o->offset + o->size <= p->offset);
  }
}

static void set(struct few_sample_args *a, const char *key, const char *value) {
  assert_ok(ctx, few_option_set(a, ctx, few_sample_options(), key, value));
}

static void test_open(void **state) {
  struct few_sample_args a = FEW_SAMPLE_ARGS_INIT;
  FEW_UNUSED(state);
  set(&a, "steps", "3");
  set(&a, "sampler", "heun");
  set(&a, "times", "1.5,0.8,0.1");
  set(&a, "set", "churn=3");
  set(&a, "set", "churn_min=0.1");
  set(&a, "guidance", "2");
  set(&a, "guidance-times", "0.5,1.2");
  assert_true(few__sample_differs(&a.opts, few_option_find(few_sample_options(), "steps")));
  assert_false(few__sample_differs(&a.opts, few_option_find(few_sample_options(), "schedule")));
  assert_ok(ctx, few_sample_args_open(&a, ctx));
  assert_int_equal(a.opts.steps, 3);
  assert_string_equal(a.opts.sampler, "heun");
  assert_int_equal(a.opts.n_times, 3);
  assert_true(a.opts.times[1] == 0.8 && a.opts.guidance == 2);
  assert_int_equal(a.opts.n_settings, 2);
  assert_string_equal(a.opts.settings[1], "churn_min=0.1");
  assert_true(a.opts.guidance_from == 0.5 && a.opts.guidance_to == 1.2);
  assert_null(a.opts.autoguide);
  few_sample_args_close(&a);
}

static void refuse(const char *key, const char *value, const char *also, const char *what) {
  struct few_sample_args a = FEW_SAMPLE_ARGS_INIT;
  set(&a, key, value);
  if (also) set(&a, also, "2");
  assert_int_equal(few_sample_args_open(&a, ctx), FEW_E_INVALID);
  assert_non_null(strstr(few_error(ctx), what));
  few_sample_args_close(&a);
}

/* Options without an effect are refused. */
static void test_refused(void **state) {
  struct few_sample_args a = FEW_SAMPLE_ARGS_INIT;
  FEW_UNUSED(state);
  refuse("times", "1.5,0.8,0.1", "steps", "3 times");
  refuse("guidance-times", "1", "guidance", "LO,HI");
  refuse("guidance-times", "0,1", NULL, "without guidance");
  refuse("autoguidance", "3", NULL, "needs a model");
  a.version = 99;
  assert_int_equal(few_sample_args_open(&a, ctx), FEW_E_INVALID);
  a = (struct few_sample_args)FEW_SAMPLE_ARGS_INIT;
  set(&a, "autoguide", "missing.safetensors");
  assert_int_not_equal(few_sample_args_open(&a, ctx), FEW_OK);
  few_sample_args_close(&a);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_defaults), cmocka_unit_test(test_open),
                                     cmocka_unit_test(test_refused)};
  ctx = test_ctx();
  const int failed = cmocka_run_group_tests(tests, NULL, NULL);
  few_ctx_free(ctx);
  return failed;
}
