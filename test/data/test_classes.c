/* Classes by name: a name takes precedence over a number, and sets are matched by their names. */
#include "testing.h"

#include "base/base.h"
#include "data/classes.h"

static few_ctx *ctx;

static const char *name_of(const void *of, int64_t label) {
  return ((const char *const *)of)[label];
}

static struct few_classes classes(int64_t n, const char *const *names) {
  return (struct few_classes){n, names ? name_of : NULL, names, "this set"};
}

static const char *const numbers[] = {"1", "10", "11", "12", "2", "3"};
static const char *const cats[] = {"cat", "dog"}, *const dogs[] = {"dog", "cat"};
static const char *const others[] = {"a_dog", "b_cat"}, *const half[] = {"cat", NULL};
static const char *const gap[] = {"0", "2"};

static void finds(const struct few_classes *c, const char *word, int want) {
  int32_t label = -7;
  const few_status st = few__class_find(ctx, c, word, &label);
  if ((want >= 0) != !st || (!st && label != want)) fail_msg("%s: %d", word, label);
  if (st) assert_true(st == FEW_E_INVALID && strstr(few_error(ctx), word));
}

static void test_find(void **state) {
  FEW_UNUSED(state);
  struct few_classes c = classes(6, numbers);
  finds(&c, "2", 4);
  finds(&c, "12", 3);
  finds(&c, "0", -1); /* if names are numbers, other numbers are not classes */
  finds(&c, "5", -1);
  finds(&c, "02", -1);
  assert_non_null(strstr(few_error(ctx), "classes are 1, 10, 11, 12, 2, 3"));
  finds(&c, "-1", -1);
  finds(&c, "+1", -1);
  finds(&c, "99999999999999999999", -1);
  c = classes(2, cats);
  finds(&c, "dog", 1);
  finds(&c, "1", 1);
  finds(&c, "Dog", -1);
  assert_non_null(strstr(few_error(ctx), "cat, dog"));
  c = classes(3, NULL);
  finds(&c, "2", 2);
  finds(&c, "3", -1);
  c = classes(0, NULL);
  finds(&c, "0", -1);
  assert_non_null(strstr(few_error(ctx), "no classes"));
}

static void test_map(void **state) {
  FEW_UNUSED(state);
  const struct few_classes a = classes(2, cats), b = classes(2, dogs), none = classes(2, NULL);
  const struct few_classes other = classes(2, others), partly = classes(2, half);
  const struct few_classes three = classes(3, NULL), one = classes(1, cats);
  int32_t map[3];
  assert_ok(ctx, few__classes_map(ctx, &a, &b, "", map));
  assert_true(map[0] == 1 && map[1] == 0);
  assert_ok(ctx, few__classes_map(ctx, &a, &a, "", map));
  assert_true(map[0] == 0 && map[1] == 1);
  assert_ok(ctx, few__classes_map(ctx, &one, &b, "", map)); /* some of the classes */
  assert_int_equal(map[0], 1);
  assert_int_equal(few__classes_map(ctx, &a, &other, "take others", map), FEW_E_INVALID);
  assert_non_null(strstr(few_error(ctx), "(cat, dog)"));
  assert_non_null(strstr(few_error(ctx), "(a_dog, b_cat): take others"));
  assert_ok(ctx, few__classes_map(ctx, &none, &other, "", map)); /* unnamed on one side */
  assert_true(map[0] == 0 && map[1] == 1);
  assert_ok(ctx, few__classes_map(ctx, &partly, &other, "", map));
  assert_true(map[0] == 0 && map[1] == 1);
  assert_ok(ctx, few__classes_map(ctx, &none, &three, "", map));
  assert_int_equal(few__classes_map(ctx, &three, &none, "take others", map), FEW_E_INVALID);
  assert_non_null(strstr(few_error(ctx), "3 classes"));
  /* labels 0 and 2 of a file are the names of its classes, and correspond to classes 0 and 2
   * without names */
  const struct few_classes gaps = classes(2, gap);
  assert_ok(ctx, few__classes_map(ctx, &gaps, &three, "", map));
  assert_true(map[0] == 0 && map[1] == 2);
  assert_int_equal(few__classes_map(ctx, &three, &gaps, "", map), FEW_E_INVALID);
  assert_int_equal(few__classes_map(ctx, &gaps, &none, "", map), FEW_E_INVALID);
  assert_ok(ctx, few__classes_in_order(ctx, &a, &a, ""));
  assert_ok(ctx, few__classes_in_order(ctx, &a, &none, ""));
  assert_int_equal(few__classes_in_order(ctx, &a, &b, "order them"), FEW_E_INVALID);
  assert_int_equal(few__classes_in_order(ctx, &a, &one, ""), FEW_E_INVALID);
  assert_int_equal(few__classes_in_order(ctx, &three, &none, ""), FEW_E_INVALID);
  int32_t same;
  assert_ok(ctx, few__class_same(ctx, &a, 0, &b, "", &same));
  assert_int_equal(same, 1);
  assert_ok(ctx, few__class_same(ctx, &three, 1, &none, "", &same));
  assert_int_equal(same, 1);
  assert_int_equal(few__class_same(ctx, &three, 2, &none, "", &same), FEW_E_INVALID);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_find), cmocka_unit_test(test_map)};
  ctx = test_ctx();
  const int failed = cmocka_run_group_tests(tests, NULL, NULL);
  few_ctx_free(ctx);
  return failed;
}
