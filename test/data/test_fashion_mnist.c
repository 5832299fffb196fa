/* Fashion-MNIST, if the package is installed: shape, classes, and the published mean and
 * deviation. */
#include "files.h"

static void test_loads(void **state) {
  struct files *f = *state;
  few_data *d = NULL;
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  for (int split = 0; split < 2; split++) {
    o.split = split ? FEW_DATA_TEST : FEW_DATA_TRAIN;
    few_status st = few_data_open(&d, f->ctx, "fashion-mnist", &o);
    if (st == FEW_E_IO) {
      print_message("skipped: %s\n", few_error(f->ctx));
      skip();
    }
    assert_ok(f->ctx, st);
    assert_int_equal(few_data_n(d), split ? 10000 : 60000);
    assert_int_equal(few_data_h(d), 28);
    assert_int_equal(few_data_w(d), 28);
    assert_int_equal(few_data_c(d), 1);
    assert_int_equal(few_data_n_classes(d), 10);
    assert_string_equal(few_data_class_name(d, 9), "ankle boot");
    assert_null(few_data_class_name(d, 10));
    int64_t count[10] = {0};
    for (int64_t i = 0; i < few_data_n(d); i++) count[few_data_label(d, i)]++;
    for (int k = 0; k < 10; k++) assert_int_equal(count[k], few_data_n(d) / 10);
    if (!split) { /* 0.2860 and 0.3530 of [0, 1] are the known numbers, to four digits */
      assert_close(few_data_mean(d) / 2 + 0.5, 0.2860, 5e-5);
      assert_close(few_data_std(d) / 2, 0.3530, 5e-5);
    }
    few_data_free(d);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_loads, files_setup, files_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
