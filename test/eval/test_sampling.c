/* A report shows every sampling option that changes an image. */
#include "eval/source.h"
#include "few/option.h"
#include "model/run/sample.h"
#include "testing.h"

static const char *value_of(const struct few_option *o) {
  switch (o->type) {
    case FEW_OPTION_INT:
      return "3";
    case FEW_OPTION_REAL:
      return "0.7";
    case FEW_OPTION_REALS:
      return "0.3,0.5";
    case FEW_OPTION_BOOL:
      return "yes";
    case FEW_OPTION_TEXTS:
      return "churn=1";
    default:
      return "something";
  }
}

/* Options that a report shows in members of their own. test/model/run tests autoguidance. */
static bool elsewhere(const char *key) {
  static const char *const keys[] = {"steps", "sampler", "guidance", "autoguide", "autoguidance"};
  for (int i = 0; i < FEW_COUNT(keys); i++)
    if (!strcmp(key, keys[i])) return true;
  return false;
}

static void test_every_option(void **state) {
  few_ctx *ctx = test_ctx();
  FEW_UNUSED(state);
  for (const struct few_option *o = few_sample_options(); o->key; o++) {
    struct few_sample_args a = FEW_SAMPLE_ARGS_INIT;
    struct few_text text = {0};
    if (elsewhere(o->key)) continue;
    if (!strcmp(o->key, "guidance-times")) a.opts.guidance = 2;
    if (!strcmp(o->key, "threshold")) a.opts.clip = 1;
    assert_ok(ctx, few_option_set(&a, ctx, few_sample_options(), o->key, value_of(o)));
    assert_ok(ctx, few_sample_args_open(&a, ctx));
    assert_ok(ctx, few__sampling_text(ctx, &a.opts, &text));
    if (!text.len) fail_msg("no report shows %s", o->key);
    few__text_free(ctx, &text);
    few_sample_args_close(&a);
  }
  few_ctx_free(ctx);
}

static void test_words(void **state) {
  static const double times[] = {1.5, 0.25};
  static const char *const set[] = {"churn=20"};
  few_ctx *ctx = test_ctx();
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  struct few_text text = {0};
  FEW_UNUSED(state);
  assert_ok(ctx, few__sampling_text(ctx, &o, &text));
  assert_int_equal(text.len, 0);
  o.steps = 3;
  o.n_times = 2;
  o.times = times;
  o.n_settings = 1;
  o.settings = set;
  o.guidance_to = 1;
  assert_ok(ctx, few__sampling_text(ctx, &o, &text));
  assert_string_equal(text.at, "times 1.5,0.25; churn=20; guided from t = 0 to 1");
  few__text_free(ctx, &text);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_option),
                                     cmocka_unit_test(test_words)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
