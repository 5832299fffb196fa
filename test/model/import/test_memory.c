/* Makes each allocation of an import fail in turn: the result is an error, without a leak. */
#include "meter.h"
#include "testing.h"

#include "few/import.h"

static few_status import(few_ctx *ctx, const char *source) {
  struct few_import_opts o = FEW_IMPORT_OPTS_INIT;
  few_model *m;
  o.source = source;
  const few_status st = few_import(&m, ctx, &o);
  assert_true(st ? m == NULL : m != NULL);
  few_model_free(m);
  return st;
}

static void each_allocation(const char *source, long stride) {
  struct meter meter = {.left = LONG_MAX};
  struct few_ctx_opts opts = FEW_CTX_OPTS_INIT;
  few_ctx *ctx;
  opts.allocator = (struct few_allocator){&meter, meter_alloc, meter_release};
  assert_int_equal(few_ctx_create(&ctx, &opts), FEW_OK);
  const long live = meter.live, before = meter.left;
  assert_ok(ctx, import(ctx, source));
  const long needed = before - meter.left;
  for (long k = 0; k < needed; k += stride) {
    meter.left = k;
    const few_status st = import(ctx, source);
    if (st != FEW_E_MEMORY)
      fail_msg("allocation %ld of %ld: %s: %s", k, needed, few_status_name(st), few_error(ctx));
    assert_int_equal(meter.live, live);
  }
  meter.left = LONG_MAX;
  few_ctx_free(ctx);
}

static void test_parts(void **state) { /* two files and an index */
  (void)state;
  each_allocation(FEW_TEST_DIR "/model/import/data/adm_edm", 7);
}

static void test_labels(void **state) { /* and the names of classes */
  (void)state;
  each_allocation(FEW_TEST_DIR "/model/import/data/dit", 5);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_parts), cmocka_unit_test(test_labels)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
