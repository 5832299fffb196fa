/* Axes: ranges that hold their values, and ticks at round numbers. */
#include "testing.h"

#include "record/axis.h"

static void check_ticks(const struct few_axis *a, int n, const double *tick) {
  assert_int_equal(a->n, n);
  for (int i = 0; i < n; i++) assert_close(a->tick[i], tick[i], 1e-12 * fabs(tick[i]));
}

static void test_ticks(void **state) {
  (void)state;
  struct few_axis a = few__axis_tight(0, 4800);
  check_ticks(&a, 5, (double[]){0, 1000, 2000, 3000, 4000});
  a = few__axis_tight(-3, 0.1);
  check_ticks(&a, 7, (double[]){-3, -2.5, -2, -1.5, -1, -0.5, 0});
  a = few__axis(0.0001, 0.00021, false);
  assert_true(a.low < 0.0001 && a.low > 0 && a.high > 0.00021);
  check_ticks(&a, 6, (double[]){0.0001, 0.00012, 0.00014, 0.00016, 0.00018, 0.0002});
  a = few__axis(0.001, 100, true);
  check_ticks(&a, 6, (double[]){0.001, 0.01, 0.1, 1, 10, 100});
  a = few__axis(0.04, 0.4, true);
  check_ticks(&a, 3, (double[]){0.1, 0.2, 0.05}); /* powers first */
  a = few__axis(1e-30, 1, true);
  assert_true(a.n >= 4 && a.n <= 9);
}

/* Every range has an order, holds its values, and has some ticks but not too many. */
static void test_ranges(void **state) {
  (void)state;
  static const double values[] = {-1e300, -1e10, -7, -1e-9, 0,    1e-300,
                                  1e-9,   0.3,   1,  7,     1e10, 1e300};
  for (int i = 0; i < 12; i++)
    for (int k = i; k < 12; k++)
      for (int log = 0; log < 2; log++) {
        if (log && !(values[i] > 0)) continue;
        const struct few_axis a = few__axis(values[i], values[k], log);
        if (!(a.low < a.high) || a.low > values[i] || a.high < values[k])
          fail_msg("%g to %g: %g to %g", values[i], values[k], a.low, a.high);
        if (a.n < 2) fail_msg("%g to %g, log %d: %d ticks", values[i], values[k], log, a.n);
        for (int t = 0; t < a.n; t++) {
          const double at = few__axis_at(&a, a.tick[t]);
          assert_true(at > -1e-9 && at < 1 + 1e-9);
        }
      }
}

static void test_labels(void **state) {
  (void)state;
  static const struct {
    double x;
    const char *text;
  } all[] = {{0, "0"},         {0.05, "0.05"},   {2000, "2000"},   {20000, "20k"}, {1.5e6, "1.5M"},
             {-30000, "-30k"}, {1e-5, "1e-5"},   {1e15, "1e15"},   {2e9, "2G"},    {1e-10, "1e-10"},
             {-2e-7, "-2e-7"}, {12500, "12.5k"}, {-0.0 + 0.0, "0"}};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    char text[32];
    few__axis_label(text, all[i].x);
    assert_string_equal(text, all[i].text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_ticks), cmocka_unit_test(test_ranges),
                                     cmocka_unit_test(test_labels)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
