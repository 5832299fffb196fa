/* Consistency objectives compare two values of the student under the same dropout mask. Here the
 * target has the student's weights, and the grid is so fine that the two times are almost equal, so
 * the two values agree. With two different masks, or a mask on only one of them, they would not. */
#include "updates.h"

static double mse(const char *objective, const char *a, const char *b, const char *dropout) {
  const char *const settings[] = {objective, a, b, dropout, "init=fresh", "batch=64", "shards=1"};
  struct updates t;
  struct few_step_report report;
  struct few_gradient g;
  updates_begin(&t, FEW_TEST_DIR "/../recipes/toy-teacher.ini", FEW_COUNT(settings), settings, 1,
                few__backend_cpu());
  const struct few_values v = {t.state.there.param, t.state.there.param};
  const struct few_clock at = few__config_clock(&t.setup.config, t.setup.config.keys.steps - 1, 1);
  assert_ok(t.ctx, few__shards_step(t.shards, FEW_PHASE_STUDENT, &at, 0, &v, &g, &report));
  assert_string_equal(report.name[0], "mse");
  updates_end(&t);
  return report.mean[0];
}

static void test_one_mask(void **state) {
  (void)state;
  static const char *const all[][3] = {
      {"objective=ct", "s0=20000", "s1=20000"},
      {"objective=ict", "s0=20000", "s1=20000"},
      {"objective=ect", "q=2", "doublings=14"},
  };
  for (int i = 0; i < FEW_COUNT(all); i++) {
    const double plain = mse(all[i][0], all[i][1], all[i][2], "dropout=0");
    const double masked = mse(all[i][0], all[i][1], all[i][2], "dropout=0.5");
    assert_true(plain > 0 && masked > 0);
    /* With weights of 0.1 and a dropout of 1/2, the slope of F in time is at most twice as large as
     * without dropout. */
    if (!(masked < 10 * plain)) fail_msg("%s: %g, and %g without", all[i][0], masked, plain);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_mask)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
