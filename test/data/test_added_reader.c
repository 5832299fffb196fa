/* Readers that a program adds: images, points and labels, wherever a data set is named. Mistakes of
 * such a reader are errors. */
#include "few/component.h"
#include "few/ext/reader.h"

#include "data/reader.h"
#include "files.h"

/* "squares:N": N images of 2 x 2 pixels, pixel k of image i has the value 4 i + k; three
 * classes. */
static few_status open_squares(few_data *d, const char *where, const struct few_data_opts *opts) {
  static const char *const names[] = {"red", "green", "blue"};
  const int64_t n = strtol(where, NULL, 10);
  uint8_t *pixels;
  int32_t *labels;
  FEW_TRY(few_reader_no_split(d, opts));
  if (!n) return few_ctx_fail(few_reader_ctx(d), FEW_E_INVALID, "squares: give a number");
  FEW_TRY(few_reader_images(&pixels, d, n, 2, 2, 1));
  for (int64_t i = 0; i < 4 * n; i++) pixels[i] = (uint8_t)i;
  FEW_TRY(few_reader_labels(&labels, d, 3, names));
  for (int64_t i = 0; i < n; i++) labels[i] = (int32_t)(i % 3);
  if (!strcmp(where, "7")) labels[5] = 3; /* no class */
  return FEW_OK;
}

static few_status open_line(few_data *d, const char *where, const struct few_data_opts *opts) {
  float *points;
  FEW_UNUSED(opts);
  FEW_TRY(few_reader_points(&points, d, 10, 3));
  for (int i = 0; i < 30; i++) points[i] = (float)i;
  if (!strcmp(where, "broken")) points[4] = (float)NAN;
  return FEW_OK;
}

static few_status open_nothing(few_data *d, const char *where, const struct few_data_opts *opts) {
  FEW_UNUSED(d);
  FEW_UNUSED(where);
  FEW_UNUSED(opts);
  return FEW_OK;
}

static few_status open_huge(few_data *d, const char *where, const struct few_data_opts *opts) {
  uint8_t *pixels;
  FEW_UNUSED(where);
  FEW_UNUSED(opts);
  return few_reader_images(&pixels, d, 1, 1 << 20, 1, 1);
}

static const struct few_reader_def readers[] = {
    {FEW_READER_DEF_VERSION, "squares", "squares:N", "N squares", open_squares},
    {FEW_READER_DEF_VERSION, "line", "line", "points of a line", open_line},
    {FEW_READER_DEF_VERSION, "nothing", "nothing", "no items", open_nothing},
    {FEW_READER_DEF_VERSION, "huge", "huge", "sides too large", open_huge}};

static int setup(void **state) {
  if (files_setup(state)) return 1;
  struct files *f = *state;
  for (int i = 0; i < FEW_COUNT(readers); i++)
    assert_ok(f->ctx, few_ctx_add_reader(f->ctx, &readers[i]));
  return 0;
}

static void test_read(void **state) {
  struct files *f = *state;
  few_data *d;
  float x[4];
  assert_ok(f->ctx, few_data_open(&d, f->ctx, "squares:6", NULL));
  assert_string_equal(few_data_spec(d), "squares:6");
  assert_int_equal(few_data_n(d), 6);
  assert_int_equal(few_data_n_classes(d), 3);
  assert_string_equal(few_data_class_name(d, 1), "green");
  assert_int_equal(few_data_label(d, 5), 2);
  assert_ok(f->ctx, few_data_get(x, d, 5));
  assert_close((double)x[3], 23 / 127.5 - 1, 1e-6);
  few_data_free(d);
  assert_ok(f->ctx, few_data_open(&d, f->ctx, "line", NULL)); /* without a colon */
  assert_int_equal(few_data_get_kind(d), FEW_DATA_POINTS);
  assert_int_equal(few_data_c(d), 3);
  assert_int_equal(few_data_n_classes(d), 0);
  few_data_free(d);
}

/* The library applies limits and parts. */
static void test_options(void **state) {
  struct files *f = *state;
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  few_data *d;
  o.limit = 6;
  assert_ok(f->ctx, few_data_open(&d, f->ctx, "squares:30", &o));
  assert_int_equal(few_data_n(d), 6);
  few_data_free(d);
  o.limit = 0;
  o.holdout = 0.5;
  o.split = FEW_DATA_TEST;
  assert_ok(f->ctx, few_data_open(&d, f->ctx, "squares:30", &o));
  assert_int_equal(few_data_n(d), 15);
  few_data_free(d);
  o.holdout = 0;
  assert_int_equal(few_data_open(&d, f->ctx, "squares:30", &o), FEW_E_UNSUPPORTED);
}

static void fails(struct files *f, const char *spec, few_status status, const char *sentence) {
  few_data *d;
  assert_int_equal(few_data_open(&d, f->ctx, spec, NULL), status);
  assert_null(d);
  if (!strstr(few_error(f->ctx), sentence)) fail_msg("%s: %s", spec, few_error(f->ctx));
}

static void test_mistakes(void **state) {
  struct files *f = *state;
  fails(f, "squares:", FEW_E_INVALID, "give a number");
  fails(f, "squares:7", FEW_E_FORMAT, "label 3 of item 5");
  fails(f, "line:broken", FEW_E_FORMAT, "value 1 of point 1");
  fails(f, "nothing", FEW_E_FORMAT, "left no items");
  fails(f, "huge", FEW_E_INVALID, "1 to 32768");
  fails(f, "square:6", FEW_E_INVALID, "squares:N"); /* the sentence lists it */
}

static void test_skipped(void **state) {
  struct files *f = *state;
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  few_data *d;
  o.on_error = FEW_DATA_SKIP;
  assert_ok(f->ctx, few_data_open(&d, f->ctx, "squares:7", &o));
  assert_int_equal(few_data_n(d), 6);
  assert_int_equal(few_data_skipped(d), 1);
  few_data_free(d);
}

static void test_added(void **state) {
  struct files *f = *state;
  struct few_reader_def d = readers[0];
  struct few_component c;
  const enum few_component_kind kind = FEW_COMPONENT_READER;
  const int n = few_component_count(f->ctx, kind);
  assert_int_equal(n, few_component_count(NULL, kind) + FEW_COUNT(readers));
  assert_true(few_component(&c, sizeof c, f->ctx, kind, n - 1));
  assert_string_equal(c.usage, "huge");
  assert_false(few_component(&c, sizeof c, NULL, kind, n - 1));
  assert_int_equal(few_ctx_add_reader(f->ctx, &d), FEW_E_INVALID);
  assert_non_null(strstr(few_error(f->ctx), "squares exists already"));
  d.name = "npy";
  assert_int_equal(few_ctx_add_reader(f->ctx, &d), FEW_E_INVALID);
  d.name = "more", d.open = NULL;
  assert_int_equal(few_ctx_add_reader(f->ctx, &d), FEW_E_INVALID);
  assert_non_null(strstr(few_error(f->ctx), "`open` is NULL"));
  d = readers[0], d.version = 7;
  assert_int_equal(few_ctx_add_reader(f->ctx, &d), FEW_E_INVALID);
  assert_non_null(strstr(few_error(f->ctx), "few_reader_def has version 7"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, files_teardown)
int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_read), TEST(test_options), TEST(test_mistakes),
                                     TEST(test_skipped), TEST(test_added)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
