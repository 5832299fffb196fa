/* JSON: members come out typed or with a sentence; text reads back the same. */
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

static void test_text(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_text t = {0};
  json_t *v, *back;
  assert_ok(ctx, few__json_parse(ctx, &v, "m", text, strlen(text)));
  assert_ok(ctx, few__json_text(ctx, v, &t));
  assert_ok(ctx, few__json_parse(ctx, &back, "m", t.at, t.len));
  assert_true(json_equal(v, back));
  assert_true(t.at[1] == '"' && t.at[2] == 'i'); /* members stay in order */
  few__text_free(ctx, &t);
  json_decref(v);
  json_decref(back);
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
      cmocka_unit_test(test_damage),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
