/* JSON: members are read with their type, or there is an error; text that was written is read back
 * the same. */
#include <math.h>
#include <stdlib.h>

#include "corpus.h"
#include "io/json.h"

static few_status parse_and_free(few_ctx *ctx, const char *place, const void *bytes, size_t n) {
  json_t *v;
  few_status st = few__json_parse(ctx, &v, place, bytes, n);
  json_decref(v);
  return st;
}

static const char text[] =
    "{\"i\":3,\"r\":0.1,\"b\":true,\"s\":\"caf\xc3\xa9\",\"o\":{\"x\":1},\"a\":[1]}";

static void test_members(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  json_t *v, *o, *a;
  int64_t i;
  double r;
  bool b;
  const char *s;
  assert_ok(ctx, few__json_parse(ctx, &v, "m", text, strlen(text)));
  assert_ok(ctx, few__json_int(ctx, "m", v, "i", 0, 3, &i));
  assert_ok(ctx, few__json_real(ctx, "m", v, "r", &r));
  assert_ok(ctx, few__json_bool(ctx, "m", v, "b", &b));
  assert_ok(ctx, few__json_string(ctx, "m", v, "s", &s));
  assert_ok(ctx, few__json_object(ctx, "m", v, "o", &o));
  assert_ok(ctx, few__json_array(ctx, "m", v, "a", &a));
  assert_true(i == 3 && r == 0.1 && b && json_array_size(a) == 1 && json_object_size(o) == 1);
  assert_string_equal(s, "caf\xc3\xa9");
  assert_ok(ctx, few__json_real(ctx, "m", v, "i", &r));
  assert_true(r == 3);
  assert_int_equal(few__json_int(ctx, "m", v, "i", 4, 9, &i), FEW_E_FORMAT);
  assert_non_null(strstr(few_error(ctx), "m: `i` is 3, not from 4 to 9"));
  assert_int_equal(few__json_int(ctx, "m", v, "s", 4, 9, &i), FEW_E_FORMAT);
  assert_non_null(strstr(few_error(ctx), "m: `s` is a string, not an integer"));
  assert_int_equal(few__json_string(ctx, "m", v, "z", &s), FEW_E_FORMAT);
  assert_non_null(strstr(few_error(ctx), "m: `z` is missing, not a string"));
  assert_int_equal(few__json_object(ctx, "m", v, "a", &o), FEW_E_FORMAT);
  assert_int_equal(few__json_array(ctx, "m", v, "o", &a), FEW_E_FORMAT);
  assert_int_equal(few__json_bool(ctx, "m", a, "o", &b), FEW_E_FORMAT);
  assert_int_equal(few__json_real(ctx, "m", NULL, "o", &r), FEW_E_FORMAT);
  json_decref(v);
  few_ctx_free(ctx);
}

/* The writer gives the same text as Jansson: order, digits, escapes. */
static void test_text(void **state) {
  (void)state;
  static const char *const texts[] = {
      text,
      "[]",
      "{}",
      "[{},[],[[1]],{\"a\":{\"b\":null}}]",
      "[0.10000000000000001,1.0,-0.0,1e300,1.5e-7,5e-324,1.7976931348623157e308,100000.0]",
      "[9223372036854775807,-9223372036854775808,true,false,null]",
      "\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u001F\x7f caf\xc3\xa9 \xf0\x9f\x98\x80\"",
  };
  few_ctx *ctx = test_ctx();
  for (int i = 0; i < FEW_COUNT(texts); i++) {
    struct few_text t = {0};
    struct few_json j = few__json_begin(ctx, &t);
    json_error_t e;
    json_t *v = json_loads(texts[i], JSON_DECODE_ANY, &e);
    assert_non_null(v);
    few__json_put_value(&j, NULL, v);
    assert_ok(ctx, few__json_end(&j, "m"));
    char *theirs = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
    assert_string_equal(t.at, theirs);
    free(theirs);
    few__text_free(ctx, &t);
    json_decref(v);
  }
  few_ctx_free(ctx);
}

/* Values that JSON cannot represent are refused, with their key. */
static void test_refused(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  for (int i = 0; i < 4; i++) {
    struct few_text t = {0};
    struct few_json j = few__json_begin(ctx, &t);
    few__json_open(&j, NULL, '{');
    if (i == 0) few__json_put_string(&j, "name", "a\xff");
    if (i == 1) few__json_put_real(&j, "name", (double)NAN);
    if (i == 2) few__json_put_real(&j, "name", (double)INFINITY);
    if (i == 3) few__json_put_int(&j, "\xc3(", 1);
    few__json_close(&j);
    assert_int_equal(few__json_end(&j, "m"), FEW_E_INVALID);
    assert_non_null(strstr(few_error(ctx), i < 3 ? "m: `name` cannot be stored" : "m: `a key`"));
    few__text_free(ctx, &t);
  }
  few_ctx_free(ctx);
}

static void test_damage(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  corpus_truncate(ctx, parse_and_free, text, strlen(text));
  corpus_check(ctx, "json", parse_and_free);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_members),
      cmocka_unit_test(test_text),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_damage),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
