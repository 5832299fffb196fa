/* The table of options agrees with FEW_DATA_OPTS_INIT, and texts set the right fields. */
#include "data/options.h"

#include "few/data.h"
#include "testing.h"

static void test_defaults_agree(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  const struct few_data_opts init = FEW_DATA_OPTS_INIT;
  struct few_data_opts o = {.version = FEW_DATA_OPTS_VERSION, .split = 7, .limit = 7};
  assert_ok(ctx, few_options_default(&o, ctx, few__data_options));
  assert_int_equal(o.split, init.split);
  assert_int_equal(o.on_error, init.on_error);
  assert_int_equal(o.limit, init.limit);
  assert_int_equal(o.size, init.size);
  assert_int_equal(o.channels, init.channels);
  assert_int_equal(o.background, init.background);
  few_ctx_free(ctx);
}

static void test_texts_reach_their_fields(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  assert_ok(ctx, few_data_set_option(&o, ctx, "split", "test"));
  assert_ok(ctx, few_data_set_option(&o, ctx, "on_error", "skip"));
  assert_ok(ctx, few_data_set_option(&o, ctx, "limit", "1099511627775"));
  assert_ok(ctx, few_data_set_option(&o, ctx, "size", "32"));
  assert_int_equal(o.split, FEW_DATA_TEST);
  assert_int_equal(o.on_error, FEW_DATA_SKIP);
  assert_int_equal(o.limit, ((int64_t)1 << 40) - 1);
  assert_int_equal(o.size, 32);
  assert_int_equal(few_data_set_option(&o, ctx, "size", "-1"), FEW_E_INVALID);
  assert_int_equal(few_data_set_option(&o, ctx, "size", "big"), FEW_E_INVALID);
  assert_int_equal(few_data_set_option(&o, ctx, "sise", "32"), FEW_E_INVALID);
  assert_non_null(strstr(few_error(ctx), "size"));
  assert_int_equal(o.size, 32);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_defaults_agree),
      cmocka_unit_test(test_texts_reach_their_fields),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
