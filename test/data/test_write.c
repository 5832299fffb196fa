/* Files written by few_data_write are read back; arrays as data sets. */
#include "files.h"
#include "io/png.h"

static few_status open_toy(struct files *f, few_data **d, int64_t limit) {
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  o.limit = limit;
  return few_data_open(d, f->ctx, "toy:moons", &o);
}

static void test_points(void **state) {
  struct files *f = *state;
  few_data *d = NULL, *back = NULL;
  assert_ok(f->ctx, open_toy(f, &d, 20));
  assert_ok(f->ctx, few_data_write(d, files_path(f, "p.npy"), 5, 10, 0));
  assert_ok(f->ctx, files_open(f, &back, "npy", "p.npy", "p.labels.npy", NULL));
  assert_int_equal(few_data_n(back), 10);
  for (int i = 0; i < 10; i++) {
    float a[2], b[2];
    assert_ok(f->ctx, few_data_get(a, d, 5 + i));
    assert_ok(f->ctx, few_data_get(b, back, i));
    assert_memory_equal(a, b, sizeof a);
    assert_int_equal(few_data_label(d, 5 + i), few_data_label(back, i));
  }
  few_data_free(back);
  struct few_image density;
  assert_ok(f->ctx, few_data_write(d, files_path(f, "p.png"), 0, 20, 0));
  assert_ok(f->ctx, few__png_read(f->ctx, &density, files_path(f, "p.png"), 1, 1000));
  few__image_free(f->ctx, &density);
  few_data_free(d);
}

/* A set sorted by class. A part of it has items of all classes, the whole set keeps its order, and
 * classes 4 and 9 keep their numbers. */
static void test_spread(void **state) {
  struct files *f = *state;
  char file[128 + 80], labels[128 + 80];
  static const char *const shapes[] = {"'<f4', 'fortran_order': False, 'shape': (20, 1)",
                                       "'<i4', 'fortran_order': False, 'shape': (20,)"};
  for (int k = 0; k < 2; k++) {
    char *b = k ? labels : file;
    memset(b, ' ', 128);
    memcpy(b, "\x93NUMPY\x01\x00\x76\x00", 10);
    const int n = snprintf(b + 10, 118, "{'descr': %s, }", shapes[k]);
    b[10 + n] = ' ';
    b[127] = '\n';
  }
  for (int i = 0; i < 20; i++) {
    const float x = (float)i;
    const int32_t label = i < 15 ? 4 : 9;
    memcpy(file + 128 + 4 * i, &x, 4);
    memcpy(labels + 128 + 4 * i, &label, 4);
  }
  files_write(f, "a.npy", file, sizeof file);
  files_write(f, "a.labels.npy", labels, sizeof labels);
  few_data *d = NULL, *back = NULL;
  assert_ok(f->ctx, files_open(f, &d, "npy", "a.npy", "a.labels.npy", NULL));
  assert_ok(f->ctx, few_data_write_spread(d, files_path(f, "b.npy"), 0, 8, 0));
  assert_ok(f->ctx, files_open(f, &back, "npy", "b.npy", "b.labels.npy", NULL));
  static const int want[8] = {
      0, 1, 2, 3, 4, 5, 15, 16}; /* of classes with 15 and 5 items, in proportion three to one */
  for (int i = 0; i < 8; i++) {
    float x;
    assert_ok(f->ctx, few_data_get(&x, back, i));
    assert_int_equal((int)x, want[i]);
    assert_string_equal(few_data_class_name(back, few_data_label(back, i)), x < 15 ? "4" : "9");
  }
  few_data_free(back);
  assert_ok(f->ctx, few_data_write_spread(d, files_path(f, "b.npy"), 0, 20, 0));
  assert_ok(f->ctx, files_open(f, &back, "npy", "b.npy", "b.labels.npy", NULL));
  assert_true(few_data_hash(d) == few_data_hash(back));
  few_data_free(back);
  few_data_free(d);
}

/* Four images of 2x3 in three channels are written to .npy and read back. idx files cannot store
 * them. */
static void test_images(void **state) {
  struct files *f = *state;
  char file[128 + 72];
  memset(file, ' ', 128);
  memcpy(file, "\x93NUMPY\x01\x00\x76\x00", 10);
  int n =
      snprintf(file + 10, 118, "{'descr': '|u1', 'fortran_order': False, 'shape': (4, 2, 3, 3), }");
  file[10 + n] = ' ';
  file[127] = '\n';
  for (int i = 0; i < 72; i++) file[128 + i] = (char)(3 * i);
  files_write(f, "a.npy", file, sizeof file);
  few_data *d = NULL, *back = NULL;
  assert_ok(f->ctx, files_open(f, &d, "npy", "a.npy", NULL, NULL));
  assert_ok(f->ctx, few_data_write(d, files_path(f, "b.npy"), 0, 4, 0));
  assert_ok(f->ctx, files_open(f, &back, "npy", "b.npy", NULL, NULL));
  assert_true(few_data_hash(d) == few_data_hash(back));
  assert_int_equal(access(files_path(f, "b.labels.npy"), F_OK), -1);
  assert_ok(f->ctx, few_data_write(d, files_path(f, "b.png"), 1, 3, 3));
  struct few_image grid;
  assert_ok(f->ctx, few__png_read(f->ctx, &grid, files_path(f, "b.png"), 3, 100));
  assert_int_equal(grid.h, 2 + 2 + 2);
  assert_int_equal(grid.w, 2 + 3 * (3 + 2));
  for (int p = 0; p < 3; p++) /* the first pixel of item 1 + p */
    assert_memory_equal(grid.at + ((size_t)2 * 17 + 2 + 5 * (size_t)p) * 3,
                        file + 128 + 18 * (1 + p), 3);
  few__image_free(f->ctx, &grid);
  few_data_free(back);
  few_data_free(d);
}

static void refused(struct files *f, few_data *d, const char *name, int64_t first, int64_t n,
                    few_status want, const char *part) {
  assert_int_equal(few_data_write(d, files_path(f, name), first, n, 0), want);
  if (!strstr(few_error(f->ctx), part)) fail_msg("\"%s\" without \"%s\"", few_error(f->ctx), part);
  assert_int_equal(access(files_path(f, name), F_OK), -1);
}

static void test_refusals(void **state) {
  struct files *f = *state;
  few_data *d = NULL;
  assert_ok(f->ctx, open_toy(f, &d, 20));
  refused(f, d, "a.jpg", 0, 5, FEW_E_INVALID, ".png");
  refused(f, d, "a.npy", 0, 21, FEW_E_INVALID, "20");
  refused(f, d, "a.npy", 15, 6, FEW_E_INVALID, "20");
  refused(f, d, "a.npy", -1, 2, FEW_E_INVALID, "-1");
  refused(f, d, "a.npy", 0, 0, FEW_E_INVALID, "0 items");
  refused(f, d, "no/a.npy", 0, 5, FEW_E_IO, "a.npy");
  few_data_free(d);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_points, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_spread, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_images, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_refusals, files_setup, files_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
