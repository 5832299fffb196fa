/* Files of statistics: valid, invalid, truncated, and with a flipped bit. */
#include "eval/statistics.h"

#include "io/corpus.h"

static few_status parse(few_ctx *ctx, const char *place, const void *bytes, size_t n) {
  struct few_statistics *s;
  few_status st = few__statistics_parse(ctx, &s, place, bytes, n);
  if (st) assert_null(s);
  few__statistics_free(s);
  return st;
}

static void test_files(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  char *bytes;
  size_t n;
  corpus_check(ctx, "../../eval/data/statistics", parse);
  assert_ok(ctx,
            few__file_read(ctx, &bytes, &n,
                           FEW_TEST_DIR "/eval/data/statistics/y_points.safetensors", 1 << 20));
  corpus_truncate(ctx, parse, bytes, n);
  corpus_flip(ctx, parse, bytes, n);
  few__free(ctx, bytes);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_files)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
