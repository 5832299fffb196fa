/* The portions of a long job come to take the intended time. They are whole units and never empty.
 */
#include "base/pace.h"
#include "testing.h"

static void test_rule(void **state) {
  (void)state;
  const struct few_pace p = {.unit = 16, .most = 1000, .seconds = 0.25};
  assert_int_equal(few__pace_after(&p, 64, 0.25), 64);
  assert_int_equal(few__pace_after(&p, 64, 0.125), 128);
  assert_int_equal(few__pace_after(&p, 64, 1e-9), 256); /* at most four times */
  assert_int_equal(few__pace_after(&p, 64, 0), 256);
  assert_int_equal(few__pace_after(&p, 64, 0.3), 48);
  assert_int_equal(few__pace_after(&p, 64, 3600), 16); /* at least one unit */
  assert_int_equal(few__pace_after(&p, 512, 0.1), 1000);
}

static void test_portions_add_up(void **state) {
  (void)state;
  struct few_pace p = {.unit = 16, .most = 100, .seconds = 0.25};
  int64_t done = 0, n = 1234;
  assert_int_equal(few__pace_next(&p, n), 16);
  for (done = 16; done < n;) {
    const int64_t now = few__pace_next(&p, n - done);
    assert_true(now > 0 && now <= 100 && done + now <= n);
    done += now;
  }
  assert_int_equal(done, n);
}

static void test_most_below_a_unit(void **state) {
  (void)state;
  struct few_pace p = {.unit = 16, .most = 8, .seconds = 0.25};
  assert_int_equal(few__pace_next(&p, 100), 8);
  assert_int_equal(few__pace_next(&p, 92), 8);
  assert_int_equal(few__pace_next(&p, 3), 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rule),
      cmocka_unit_test(test_portions_add_up),
      cmocka_unit_test(test_most_below_a_unit),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
