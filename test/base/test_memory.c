/* The allocator, growing arrays and growing text: their alignment, overflow of sizes, and the state
 * after a failure. */
#include "base/base.h"
#include "meter.h"

static few_ctx *metered(struct meter *m) {
  struct few_ctx_opts o = FEW_CTX_OPTS_INIT;
  few_ctx *ctx = NULL;
  o.allocator = (struct few_allocator){m, meter_alloc, meter_release};
  m->left = LONG_MAX;
  if (few_ctx_create(&ctx, &o)) abort();
  return ctx;
}

static void test_version(void **state) {
  (void)state;
  char text[32];
  snprintf(text, sizeof text, "%d.%d.%d", FEW_VERSION_MAJOR, FEW_VERSION_MINOR, FEW_VERSION_PATCH);
  assert_string_equal(few_version(), text);
  assert_int_equal(few_version_number(), FEW_VERSION);
  assert_true(FEW_VERSION >= FEW_MAKE_VERSION(0, 1, 0));
  assert_true(FEW_MAKE_VERSION(0, 999, 999) < FEW_MAKE_VERSION(1, 0, 0));
}

static void test_blocks_are_aligned(void **state) {
  (void)state;
  struct meter m = {0};
  few_ctx *ctx = metered(&m);
  void *p[70];
  for (size_t n = 0; n < 70; n++) {
    p[n] = few__alloc(ctx, n);
    assert_non_null(p[n]);
    assert_int_equal((uintptr_t)p[n] % 64, 0);
    memset(p[n], 0xff, n);
  }
  for (size_t n = 0; n < 70; n++) few__free(ctx, p[n]);
  few__free(ctx, NULL);
  assert_int_equal(m.live, 1); /* the context */
  few_ctx_free(ctx);
  assert_int_equal(m.live, 0);
}

static void test_sizes_that_overflow(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  int64_t *x = NULL;
  assert_int_equal(few__mul_size(3, 5), 15);
  assert_int_equal(few__mul_size(SIZE_MAX, 0), 0);
  assert_int_equal(few__mul_size(SIZE_MAX / 2, 3), SIZE_MAX);
  assert_null(few__alloc(ctx, SIZE_MAX));
  assert_null(few__alloc(ctx, SIZE_MAX - 64));
  assert_int_equal(few__new(ctx, &x, SIZE_MAX / 4, sizeof *x), FEW_E_MEMORY);
  assert_null(x);
  few_ctx_free(ctx);
}

static void test_new_is_zeroed(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  int64_t *x = NULL;
  assert_ok(ctx, FEW_NEW(ctx, &x, 1000));
  for (int i = 0; i < 1000; i++) assert_int_equal(x[i], 0);
  few__free(ctx, x);
  assert_ok(ctx, FEW_NEW(ctx, &x, 0)); /* a distinct block, freed like others */
  assert_non_null(x);
  few__free(ctx, x);
  few_ctx_free(ctx);
}

static void test_realloc_keeps_what_was(void **state) {
  (void)state;
  struct meter m = {0};
  few_ctx *ctx = metered(&m);
  char *p = few__realloc(ctx, NULL, 8);
  memcpy(p, "1234567", 8);
  p = few__realloc(ctx, p, 4000);
  assert_string_equal(p, "1234567");
  p = few__realloc(ctx, p, 3);
  assert_memory_equal(p, "123", 3);
  m.left = 0;
  assert_null(few__realloc(ctx, p, 5));
  assert_memory_equal(p, "123", 3); /* the old block is still there */
  few__free(ctx, p);
  few_ctx_free(ctx);
  assert_int_equal(m.live, 0);
}

static void test_grow(void **state) {
  (void)state;
  struct meter m = {0};
  few_ctx *ctx = metered(&m);
  struct {
    int *at;
    int n, cap;
  } v = {NULL, 0, 0};
  for (int i = 0; i < 1000; i++) {
    assert_ok(ctx, FEW_GROW(ctx, &v, v.n + 1));
    assert_true(v.cap > v.n);
    v.at[v.n++] = i;
  }
  for (int i = 0; i < 1000; i++) assert_int_equal(v.at[i], i);
  const int cap = v.cap;
  m.left = 0;
  assert_int_equal(FEW_GROW(ctx, &v, cap + 1), FEW_E_MEMORY);
  assert_int_equal(v.cap, cap);
  assert_int_equal(v.at[999], 999);
  assert_int_equal(FEW_GROW(ctx, &v, INT32_MAX), FEW_E_MEMORY); /* without an overflow */
  few__free(ctx, v.at);
  few_ctx_free(ctx);
  assert_int_equal(m.live, 0);
}

static void test_text_grows(void **state) {
  (void)state;
  struct meter m = {0};
  few_ctx *ctx = metered(&m);
  struct few_text t = {0};
  few__text_add(ctx, &t, "%s", "");
  assert_string_equal(t.at, "");
  for (int i = 0; i < 1000; i++) few__text_add(ctx, &t, "%d,", i % 10);
  assert_int_equal(t.len, 2000);
  assert_int_equal(strlen(t.at), 2000);
  for (size_t i = 0; i < 1000; i++) assert_int_equal(t.at[2 * i], '0' + (char)(i % 10));
  assert_false(t.failed);
  few__text_free(ctx, &t);
  assert_null(t.at);
  few_ctx_free(ctx);
  assert_int_equal(m.live, 0);
}

static void test_text_failure_sticks(void **state) {
  (void)state;
  struct meter m = {0};
  few_ctx *ctx = metered(&m);
  struct few_text t = {0};
  few__text_add(ctx, &t, "abc");
  m.left = 0;
  few__text_add(ctx, &t, "%0500d", 1);
  m.left = LONG_MAX;
  few__text_add(ctx, &t, "d");
  assert_true(t.failed);
  assert_string_equal(t.at, "abc");
  few__text_free(ctx, &t);
  few_ctx_free(ctx);
  assert_int_equal(m.live, 0);
}

static void test_sentences(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  assert_string_equal(few_error(ctx), "");
  assert_int_equal(few__fail(ctx, FEW_E_IO, "%s is %g", "x", 0.5), FEW_E_IO);
  assert_string_equal(few_error(ctx), "x is 0.5");
  assert_int_equal(few__fail_in(ctx, FEW_E_IO, "file %d", 7), FEW_E_IO);
  assert_string_equal(few_error(ctx), "file 7: x is 0.5");
  char *big = malloc(100000);
  memset(big, 'a', 99999);
  big[99999] = 0;
  few__fail(ctx, FEW_E_IO, "%s", big); /* truncated, and still NUL-terminated */
  const size_t cut = strlen(few_error(ctx));
  assert_true(cut > 500 && cut < 99999);
  few__fail_in(ctx, FEW_E_IO, "front");
  assert_memory_equal(few_error(ctx), "front: aaa", 10);
  assert_int_equal(strlen(few_error(ctx)), cut);
  free(big);
  assert_int_equal(few__fail(NULL, FEW_E_MEMORY, "no context"), FEW_E_MEMORY);
  assert_string_equal(few_error(NULL), "");
  few_ctx_free(ctx);
}

static void test_versions_of_options(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  const int version = 3;
  assert_ok(ctx, few__opts_check(ctx, "few_sample_opts", &version, 3));
  assert_int_equal(few__opts_check(ctx, "few_sample_opts", &version, 4), FEW_E_INVALID);
  assert_non_null(strstr(few_error(ctx), "FEW_SAMPLE_OPTS_INIT"));
  assert_int_equal(few__opts_check(ctx, "few_sample_opts", NULL, 3), FEW_E_INVALID);
  assert_ok(ctx, few__opts_range(ctx, "x", 0.5, 0, 1));
  assert_int_equal(few__opts_range(ctx, "x", (double)NAN, 0, 1), FEW_E_INVALID);
  assert_int_equal(few__opts_range(ctx, "x", 1.5, 0, 1), FEW_E_INVALID);
  struct few_ctx_opts o = FEW_CTX_OPTS_INIT;
  few_ctx *none = ctx;
  o.version++;
  assert_int_equal(few_ctx_create(&none, &o), FEW_E_INVALID);
  assert_null(none);
  few_ctx_free(ctx);
}

static void test_utf8(void **state) {
  (void)state;
  static const char *const good[] = {
      "", "a", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"};
  static const char *const bad[] = {"\x80",         "\xc0\xaf",         "\xc3", "\xe0\x80\xaf",
                                    "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff", "ab\xe2\x82"};
  for (int i = 0; i < FEW_COUNT(good); i++) assert_true(few__utf8_valid(good[i]));
  for (int i = 0; i < FEW_COUNT(bad); i++) assert_false(few__utf8_valid(bad[i]));
  assert_int_equal(few__utf8_length("\xe2\x82\xac", 3), 3);
  assert_int_equal(few__utf8_length("\xe2\x82\xac", 2), 0);
  assert_int_equal(few__utf8_length("", 1), 0); /* NUL */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_version),
      cmocka_unit_test(test_blocks_are_aligned),
      cmocka_unit_test(test_sizes_that_overflow),
      cmocka_unit_test(test_new_is_zeroed),
      cmocka_unit_test(test_realloc_keeps_what_was),
      cmocka_unit_test(test_grow),
      cmocka_unit_test(test_text_grows),
      cmocka_unit_test(test_text_failure_sticks),
      cmocka_unit_test(test_sentences),
      cmocka_unit_test(test_versions_of_options),
      cmocka_unit_test(test_utf8),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
