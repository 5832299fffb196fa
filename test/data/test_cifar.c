/* CIFAR batches: planes become pixels; truncation, labels and missing files under both policies. */
#include "files.h"

enum { RECORD = 3073, PLANE = 1024, N = 3 };

static uint8_t value(int item, int c, int i) { return (uint8_t)(item * 50 + c * 90 + i % 83); }

static void make_batch(uint8_t *b, int n) {
  for (int k = 0; k < n; k++) {
    b[k * RECORD] = (uint8_t)(9 - k);
    for (int c = 0; c < 3; c++)
      for (int i = 0; i < PLANE; i++) b[k * RECORD + 1 + c * PLANE + i] = value(k, c, i);
  }
}

static struct few_data_opts skipping(void) {
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  o.on_error = FEW_DATA_SKIP;
  return o;
}

static void test_planes_become_pixels(void **state) {
  struct files *f = *state;
  static uint8_t b[N * RECORD];
  static float x[3 * PLANE];
  make_batch(b, N);
  files_write(f, "a.bin", b, sizeof b);
  files_write(f, "b.bin", b, RECORD);
  few_data *d = NULL;
  assert_ok(f->ctx, files_open(f, &d, "cifar", "a.bin", "b.bin", NULL));
  assert_int_equal(few_data_n(d), N + 1);
  assert_int_equal(few_data_h(d), 32);
  assert_int_equal(few_data_w(d), 32);
  assert_int_equal(few_data_c(d), 3);
  assert_int_equal(few_data_n_classes(d), 10);
  assert_string_equal(few_data_class_name(d, 6), "frog");
  for (int k = 0; k <= N; k++) {
    assert_int_equal(few_data_label(d, k), 9 - k % N);
    assert_ok(f->ctx, few_data_get(x, d, k));
    for (int i = 0; i < PLANE; i++)
      for (int c = 0; c < 3; c++)
        assert_close(x[3 * i + c], (float)(value(k % N, c, i) / 127.5 - 1), 0);
  }
  few_data_free(d);
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  o.limit = 2;
  assert_ok(f->ctx, files_open(f, &d, "cifar", "a.bin", "b.bin", &o));
  assert_int_equal(few_data_n(d), 2);
  few_data_free(d);
}

static void test_cut_anywhere(void **state) {
  struct files *f = *state;
  struct few_data_opts skip = skipping();
  static uint8_t b[2 * RECORD];
  make_batch(b, 2);
  for (size_t n = 0; n < 2 * RECORD; n += n < 3000 || n > 3150 ? 61 : 1) {
    files_write(f, "cut", b, n);
    bool whole = n == RECORD;
    if (!whole) assert_refused(f, "cifar", "cut", NULL, NULL, FEW_E_FORMAT, "cut");
    if (n < RECORD) {
      assert_refused(f, "cifar", "cut", NULL, &skip, FEW_E_FORMAT, "cut");
      continue;
    }
    few_data *d = NULL;
    assert_ok(f->ctx, files_open(f, &d, "cifar", "cut", NULL, &skip));
    assert_int_equal(few_data_n(d), 1);
    assert_int_equal(few_data_skipped(d), !whole);
    few_data_free(d);
  }
}

static void test_labels_that_are_no_class(void **state) {
  struct files *f = *state;
  struct few_data_opts skip = skipping();
  static uint8_t b[N * RECORD];
  make_batch(b, N);
  b[RECORD] = 10;
  files_write(f, "bad", b, sizeof b);
  assert_refused(f, "cifar", "bad", NULL, NULL, FEW_E_FORMAT, "record 1 at byte 3073 has label 10");
  few_data *d = NULL;
  assert_ok(f->ctx, files_open(f, &d, "cifar", "bad", NULL, &skip));
  assert_int_equal(few_data_n(d), N - 1);
  assert_int_equal(few_data_skipped(d), 1);
  assert_int_equal(few_data_label(d, 1), 7);
  float x[3 * PLANE];
  assert_ok(f->ctx, few_data_get(x, d, 1));
  assert_close(x[0], (float)(value(2, 0, 0) / 127.5 - 1), 0);
  few_data_free(d);
  for (int k = 0; k < N; k++) b[k * RECORD] = 255;
  files_write(f, "bad", b, sizeof b);
  assert_refused(f, "cifar", "bad", NULL, &skip, FEW_E_FORMAT, "all are broken");
}

static void test_folder_of_batches(void **state) {
  struct files *f = *state;
  static uint8_t b[N * RECORD];
  char name[32], spec[128];
  make_batch(b, N);
  snprintf(spec, sizeof spec, "cifar:%s", f->dir);
  few_data *d = NULL;
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  for (int i = 1; i <= 5; i++) {
    assert_int_equal(few_data_open(&d, f->ctx, spec, NULL), FEW_E_IO);
    snprintf(name, sizeof name, "data_batch_%d.bin", i);
    assert_non_null(strstr(few_error(f->ctx), name));
    files_write(f, name, b, sizeof b);
  }
  assert_ok(f->ctx, few_data_open(&d, f->ctx, spec, NULL));
  assert_int_equal(few_data_n(d), 5 * N);
  few_data_free(d);
  o.split = FEW_DATA_TEST;
  assert_int_equal(few_data_open(&d, f->ctx, spec, &o), FEW_E_IO);
  files_write(f, "test_batch.bin", b, RECORD);
  assert_ok(f->ctx, few_data_open(&d, f->ctx, spec, &o));
  assert_int_equal(few_data_n(d), 1);
  few_data_free(d);
  assert_refused(f, "cifar", "test_batch.bin", NULL, &o, FEW_E_UNSUPPORTED, "no test split");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, files_setup, files_teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_planes_become_pixels),
      TEST(test_cut_anywhere),
      TEST(test_labels_that_are_no_class),
      TEST(test_folder_of_batches),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
