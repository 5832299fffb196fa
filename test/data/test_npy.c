/* NumPy arrays as sets: images, points, labels. The test writes the files byte by byte. */
#include "files.h"

/* Makes a file of version 1.0: 128 bytes of preamble, then the numbers. */
static size_t make_npy(char out[], const char *descr, const char *shape, const void *data,
                       size_t bytes) {
  memcpy(out, "\x93NUMPY\x01\x00\x76\x00", 10);
  memset(out + 10, ' ', 118);
  int n = snprintf(out + 10, 118, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr,
                   shape);
  out[10 + n] = ' ';
  out[127] = '\n';
  memcpy(out + 128, data, bytes);
  return 128 + bytes;
}

static void write_npy(struct files *f, const char *name, const char *descr, const char *shape,
                      const void *data, size_t bytes) {
  char out[1024];
  assert_true(bytes <= sizeof out - 128);
  files_write(f, name, out, make_npy(out, descr, shape, data, bytes));
}

static const uint8_t bytes[24] = {0,   10,  20,  30,  40,  50,  60,  70,  80,  90,  100, 110,
                                  120, 130, 140, 150, 160, 170, 180, 190, 200, 210, 220, 255};

static void test_images(void **state) {
  struct files *f = *state;
  few_data *d = NULL;
  const int64_t labels[] = {4, 1};
  write_npy(f, "grey.npy", "|u1", "4, 2, 3", bytes, 24);
  write_npy(f, "rgb.npy", "|u1", "2, 2, 2, 3", bytes, 24);
  write_npy(f, "labels.npy", "<i8", "2,", labels, sizeof labels);
  assert_ok(f->ctx, files_open(f, &d, "npy", "grey.npy", NULL, NULL));
  assert_int_equal(few_data_n(d), 4);
  assert_int_equal(few_data_h(d), 2);
  assert_int_equal(few_data_w(d), 3);
  assert_int_equal(few_data_c(d), 1);
  assert_int_equal(few_data_n_classes(d), 0);
  few_data_free(d);
  assert_ok(f->ctx, files_open(f, &d, "npy", "rgb.npy", "labels.npy", NULL));
  assert_int_equal(few_data_get_kind(d), FEW_DATA_IMAGES);
  assert_int_equal(few_data_c(d), 3);
  assert_int_equal(few_data_n_classes(d), 2);
  assert_int_equal(few_data_label(d, 0), 1);
  assert_int_equal(few_data_label(d, 1), 0);
  assert_string_equal(few_data_class_name(d, 1), "4");
  float x[12];
  assert_ok(f->ctx, few_data_get(x, d, 1));
  for (int i = 0; i < 12; i++) assert_close(x[i], (float)(bytes[12 + i] / 127.5 - 1), 0);
  few_data_free(d);
}

static void test_points(void **state) {
  struct files *f = *state;
  few_data *d = NULL;
  const double p[] = {1, 2, 3, -4, 5.5, 6};
  write_npy(f, "points.npy", "<f8", "2, 3", p, sizeof p);
  assert_ok(f->ctx, files_open(f, &d, "npy", "points.npy", NULL, NULL));
  assert_int_equal(few_data_get_kind(d), FEW_DATA_POINTS);
  assert_int_equal(few_data_n(d), 2);
  assert_int_equal(few_data_c(d), 3);
  float x[3];
  assert_ok(f->ctx, few_data_get(x, d, 1));
  for (int i = 0; i < 3; i++) assert_close(x[i], p[3 + i], 0);
  assert_close(few_data_mean(d), 13.5 / 6, 1e-15);
  few_data_free(d);
}

static void test_points_that_are_not_finite(void **state) {
  struct files *f = *state;
  struct few_data_opts skip = FEW_DATA_OPTS_INIT;
  skip.on_error = FEW_DATA_SKIP;
  const float p[] = {1, 2, 3, NAN, INFINITY, 6, 7, 8};
  const int32_t labels[] = {0, 1, 2, 3};
  write_npy(f, "points.npy", "<f4", "4, 2", p, sizeof p);
  write_npy(f, "labels.npy", "<i4", "4,", labels, sizeof labels);
  assert_refused(f, "npy", "points.npy", NULL, NULL, FEW_E_FORMAT, "[1,1] is not a finite");
  few_data *d = NULL;
  assert_ok(f->ctx, files_open(f, &d, "npy", "points.npy", "labels.npy", &skip));
  assert_int_equal(few_data_n(d), 2);
  assert_int_equal(few_data_skipped(d), 2);
  assert_int_equal(few_data_label(d, 1), 1);
  assert_string_equal(few_data_class_name(d, 1), "3");
  float x[2];
  assert_ok(f->ctx, few_data_get(x, d, 1));
  assert_close(x[1], 8, 0);
  few_data_free(d);
}

static void test_cut_anywhere(void **state) {
  struct files *f = *state;
  char out[256];
  size_t n = make_npy(out, "|u1", "4, 2, 3", bytes, 24);
  for (size_t cut = 0; cut < n; cut++) {
    files_write(f, "cut.npy", out, cut);
    assert_refused(f, "npy", "cut.npy", NULL, NULL, FEW_E_FORMAT, "cut.npy");
  }
}

static void test_arrays_that_are_no_set(void **state) {
  struct files *f = *state;
  static const struct {
    const char *descr, *shape;
    size_t bytes;
    few_status st;
    const char *part;
  } cases[] = {
      {"|u1", "24,", 24, FEW_E_UNSUPPORTED, "1 axes"},
      {"|u1", "4, 6", 24, FEW_E_UNSUPPORTED, "2 axes"},
      {"<f4", "1, 2, 3", 24, FEW_E_UNSUPPORTED, "uint8"},
      {"<i4", "2, 3", 24, FEW_E_UNSUPPORTED, "uint8"},
      {"|u1", "1, 2, 2, 6", 24, FEW_E_FORMAT, "[N,H,W,C]"},
      {"|u1", "0, 2, 2", 0, FEW_E_FORMAT, "no usable item"},
      {"|u1", "2, 0, 2", 0, FEW_E_FORMAT, "axis 1"},
      {"<f4", "0, 2", 0, FEW_E_FORMAT, "no usable item"},
      {"<f4", "2, 0", 0, FEW_E_FORMAT, "axis 1"},
      {"|u1", "2147483648, 2147483648, 4", 24, FEW_E_FORMAT, "bad.npy"},
      {"|u1", "4294967296, 4294967296, 4294967296", 24, FEW_E_FORMAT, "bad.npy"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    write_npy(f, "bad.npy", cases[i].descr, cases[i].shape, bytes, cases[i].bytes);
    assert_refused(f, "npy", "bad.npy", NULL, NULL, cases[i].st, cases[i].part);
  }
}

static void test_labels_that_do_not_fit(void **state) {
  struct files *f = *state;
  struct few_data_opts skip = FEW_DATA_OPTS_INIT;
  skip.on_error = FEW_DATA_SKIP;
  const int32_t three[] = {0, 1, 2}, odd[] = {0, -1, 70000, 3};
  const float real[] = {0, 1, 2, 3};
  write_npy(f, "grey.npy", "|u1", "4, 2, 3", bytes, 24);
  write_npy(f, "three.npy", "<i4", "3,", three, sizeof three);
  write_npy(f, "odd.npy", "<i4", "4,", odd, sizeof odd);
  write_npy(f, "real.npy", "<f4", "4,", real, sizeof real);
  assert_refused(f, "npy", "grey.npy", "three.npy", NULL, FEW_E_FORMAT, "4 items");
  assert_refused(f, "npy", "grey.npy", "real.npy", NULL, FEW_E_UNSUPPORTED, "integers");
  assert_refused(f, "npy", "grey.npy", "odd.npy", NULL, FEW_E_FORMAT, "label -1 of item 1");
  few_data *d = NULL;
  assert_ok(f->ctx, files_open(f, &d, "npy", "grey.npy", "odd.npy", &skip));
  assert_int_equal(few_data_n(d), 3);
  assert_int_equal(few_data_label(d, 2), 1);
  assert_string_equal(few_data_class_name(d, 2), "70000");
  assert_non_null(strstr(f->warning, "1 broken items"));
  float x[6];
  assert_ok(f->ctx, few_data_get(x, d, 2));
  assert_close(x[5], 1, 0);
  few_data_free(d);
}

/* Each label that occurs in a file is a class. Its number is the name of the class, unless the
 * labels are 0 .. n - 1. */
static void test_classes_are_those_that_occur(void **state) {
  struct files *f = *state;
  static const struct {
    int32_t label[4];
    int n_classes, of[4];
    const char *name[3];
  } cases[] = {{{1, 2, 3, 1}, 3, {0, 1, 2, 0}, {"1", "2", "3"}},
               {{900, 3, 17, 3}, 3, {2, 0, 1, 0}, {"3", "17", "900"}},
               {{0, 1, 2, 1}, 3, {0, 1, 2, 1}, {NULL, NULL, NULL}},
               {{0, 2, 2, 0}, 2, {0, 1, 1, 0}, {"0", "2", NULL}},
               {{5, 5, 5, 5}, 1, {0, 0, 0, 0}, {"5", NULL, NULL}}};
  write_npy(f, "grey.npy", "|u1", "4, 2, 3", bytes, 24);
  for (int i = 0; i < 5; i++) {
    few_data *d = NULL;
    write_npy(f, "labels.npy", "<i4", "4,", cases[i].label, sizeof cases[i].label);
    assert_ok(f->ctx, files_open(f, &d, "npy", "grey.npy", "labels.npy", NULL));
    assert_int_equal(few_data_n_classes(d), cases[i].n_classes);
    assert_int_equal(f->warnings, 0);
    for (int k = 0; k < 4; k++) assert_int_equal(few_data_label(d, k), cases[i].of[k]);
    for (int k = 0; k < cases[i].n_classes; k++) {
      const char *name = few_data_class_name(d, k), *want = cases[i].name[k];
      assert_true(name && want ? !strcmp(name, want) : !name && !want);
    }
    assert_true((few_data_note(d) != NULL) == (cases[i].name[0] != NULL));
    few_data_free(d);
  }
}

/* If the number of classes is given, labels are used as they are, and a class without items gives
 * a warning. */
static void test_number_of_classes_is_given(void **state) {
  struct files *f = *state;
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  const int32_t labels[] = {3, 1, 3, 1};
  few_data *d = NULL;
  o.classes = 4;
  write_npy(f, "grey.npy", "|u1", "4, 2, 3", bytes, 24);
  write_npy(f, "labels.npy", "<i4", "4,", labels, sizeof labels);
  assert_ok(f->ctx, files_open(f, &d, "npy", "grey.npy", "labels.npy", &o));
  assert_int_equal(few_data_n_classes(d), 4);
  assert_int_equal(few_data_label(d, 0), 3);
  assert_int_equal(f->warnings, 1);
  assert_non_null(strstr(f->warning, "2 of 4 classes have no item, the first is 0"));
  few_data_free(d);
  o.classes = 3;
  assert_refused(f, "npy", "grey.npy", "labels.npy", &o, FEW_E_FORMAT, "label 3 of item 0");
  assert_refused(f, "npy", "grey.npy", NULL, &o, FEW_E_INVALID, "has 0 classes, not 3");
}

/* A limit keeps items of all classes, in proportion and in order, for any order of the items. */
static void test_limits_take_from_all_classes(void **state) {
  enum { N = 100, A = 88, B = 10, C = 2 };
  struct files *f = *state;
  float p[N];
  int32_t sorted[N], mixed[N];
  for (int i = 0; i < N; i++) {
    p[i] = (float)i;
    sorted[i] = i < A ? 0 : i < A + B ? 1 : 2;
  }
  for (int i = 0; i < N; i++) mixed[i] = sorted[i * 37 % N];
  write_npy(f, "p.npy", "<f4", "100, 1", p, sizeof p);
  for (int which = 0; which < 2; which++) {
    const int32_t *label = which ? mixed : sorted;
    write_npy(f, "l.npy", "<i4", "100,", label, sizeof sorted);
    for (int limit = 1; limit <= N; limit++) {
      struct few_data_opts o = FEW_DATA_OPTS_INIT;
      few_data *d = NULL;
      int count[3] = {0};
      float before = -1;
      o.limit = limit;
      assert_ok(f->ctx, files_open(f, &d, "npy", "p.npy", "l.npy", &o));
      assert_int_equal(few_data_n(d), limit);
      assert_int_equal(few_data_n_classes(d), 3);
      for (int i = 0; i < limit; i++) {
        float x;
        assert_ok(f->ctx, few_data_get(&x, d, i));
        assert_true(x > before); /* in the set's order */
        before = x;
        assert_int_equal(few_data_label(d, i), label[(int)x]);
        count[few_data_label(d, i)]++;
      }
      const int of[3] = {A, B, C};
      for (int c = 0; c < 3; c++) {
        assert_true(limit < 3 || count[c] >= 1);
        /* each class keeps its first item, so its count is at most two too few or one too many */
        assert_close(count[c], limit * of[c] / (double)N, 2);
      }
      assert_int_equal(f->warnings, limit < 3);
      few_data_free(d);
    }
  }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, files_setup, files_teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_images),
      TEST(test_points),
      TEST(test_points_that_are_not_finite),
      TEST(test_cut_anywhere),
      TEST(test_arrays_that_are_no_set),
      TEST(test_labels_that_do_not_fit),
      TEST(test_classes_are_those_that_occur),
      TEST(test_number_of_classes_is_given),
      TEST(test_limits_take_from_all_classes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
