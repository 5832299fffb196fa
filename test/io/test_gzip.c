/* gzip: plain and gzipped files give the same bytes. Damage is reported with its offset. The limit
 * is enforced. */
#include "corpus.h"
#include "io/gzip.h"

static few_status parse_and_free(few_ctx *ctx, const char *place, const void *bytes, size_t n) {
  char *out;
  size_t n_out;
  few_status st = few__gzip_parse(ctx, &out, &n_out, place, bytes, n, 1 << 20);
  few__free(ctx, out);
  return st;
}

#define DATA FEW_TEST_DIR "/io/data/gzip/"

static void test_same_content(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  char *plain, *packed;
  size_t n, m;
  assert_ok(ctx, few__gzip_read(ctx, &plain, &n, DATA "y_plain", 1000));
  assert_ok(ctx, few__gzip_read(ctx, &packed, &m, DATA "y_one.gz", n));
  assert_int_equal(n, m);
  assert_memory_equal(plain, packed, n);
  few__free(ctx, packed);
  assert_int_equal(few__gzip_read(ctx, &packed, &m, DATA "y_one.gz", n - 1), FEW_E_FORMAT);
  assert_null(packed);
  assert_int_equal(few__gzip_read(ctx, &packed, &m, DATA "y_plain", n - 1), FEW_E_FORMAT);
  assert_ok(ctx, few__gzip_read(ctx, &packed, &m, DATA "y_two_members.gz", 1000));
  assert_int_equal(m, n + 4);
  assert_memory_equal(packed + n, "more", 4);
  few__free(ctx, packed);
  few__free(ctx, plain);
  few_ctx_free(ctx);
}

static void test_damage(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  char *bytes;
  size_t n;
  assert_ok(ctx, few__file_read(ctx, &bytes, &n, DATA "y_one.gz", 1000));
  assert_int_equal(corpus_parse(ctx, parse_and_free, "whole", bytes, n), FEW_OK);
  for (size_t k = 2; k < n; k++) /* 0 and 1 bytes are plain files */
    assert_int_equal(corpus_parse(ctx, parse_and_free, "cut", bytes, k), FEW_E_FORMAT);
  assert_non_null(strstr(few_error(ctx), "cut: byte "));
  corpus_flip(ctx, parse_and_free, bytes, n);
  few__free(ctx, bytes);
  corpus_check(ctx, "gzip", parse_and_free);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_same_content),
      cmocka_unit_test(test_damage),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
