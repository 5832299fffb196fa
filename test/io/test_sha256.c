/* SHA-256 gives the digests of FIPS 180-4's examples and of NIST's million letters. */
#include "io/sha256.h"
#include "testing.h"

static void check(const void *bytes, size_t n, size_t piece, const char *want) {
  struct few_sha256 s;
  char text[FEW_SHA256_TEXT];
  few__sha256_start(&s);
  for (size_t i = 0; i < n; i += piece)
    few__sha256_add(&s, (const char *)bytes + i, n - i < piece ? n - i : piece);
  few__sha256_end(&s, text);
  assert_string_equal(text, want);
}

static void test_known_answers(void **state) {
  (void)state;
  static const char two[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
  check("", 0, 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  check("abc", 3, 2, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  check(two, 56, 7, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  char *million = malloc(1000000);
  memset(million, 'a', 1000000);
  static const size_t pieces[] = {1, 63, 64, 65, 1000, 1000000};
  for (int i = 0; i < FEW_COUNT(pieces); i++)
    check(million, 1000000, pieces[i],
          "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  free(million);
}

static void test_file(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  char text[FEW_SHA256_TEXT];
  assert_ok(ctx, few__sha256_file(ctx, text, FEW_TEST_DIR "/io/data/gzip/y_empty"));
  assert_string_equal(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  assert_int_equal(few__sha256_file(ctx, text, "/nowhere/x"), FEW_E_IO);
  assert_int_equal(few__sha256_file(ctx, text, "/"), FEW_E_IO);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_known_answers),
      cmocka_unit_test(test_file),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
