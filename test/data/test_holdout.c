/* A held-out part has its share of every class and no item of the other part. It is the same in
 * every call, for any size of the images. Impossible requests are refused. */
#include "files.h"
#include "io/npy.h"

enum { N = 300 };

/* Item i is the byte pair (i / 256, i % 256); classes 0 (200 items), 1 (95), 2 (5), mixed. */
static void write_set(struct files *f) {
  static uint8_t x[N * 2];
  static int32_t label[N];
  for (int i = 0; i < N; i++) {
    x[2 * i] = (uint8_t)(i / 256);
    x[2 * i + 1] = (uint8_t)(i % 256);
    label[i] = i % 60 == 59 ? 2 : i % 3 == 1 ? 1 : 0;
  }
  assert_ok(f->ctx, few__npy_write(f->ctx, files_path(f, "x.npy"), FEW_STORE_U8, 4,
                                   (int64_t[]){N, 1, 2, 1}, x));
  assert_ok(f->ctx, few__npy_write(f->ctx, files_path(f, "y.npy"), FEW_STORE_I32, 1, (int64_t[]){N},
                                   label));
}

static few_data *open_part(struct files *f, const char *spec, double holdout, int split) {
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  few_data *d = NULL;
  o.holdout = holdout;
  o.split = split;
  assert_ok(f->ctx, few_data_open(&d, f->ctx, spec, &o));
  return d;
}

static int item_of(const few_data *d, int64_t i) {
  float x[2];
  assert_int_equal(few_data_get(x, d, i), FEW_OK);
  return (int)lrintf((x[0] + 1) * 127.5f) * 256 + (int)lrintf((x[1] + 1) * 127.5f);
}

static void test_parts(void **state) {
  struct files *f = *state;
  char spec[400];
  write_set(f);
  snprintf(spec, sizeof spec, "npy:%s,%s", files_path(f, "x.npy"), files_path(f, "y.npy"));
  few_data *whole = open_part(f, spec, 0, FEW_DATA_TRAIN);
  few_data *kept = open_part(f, spec, 0.1, FEW_DATA_TRAIN);
  few_data *held = open_part(f, spec, 0.1, FEW_DATA_TEST);
  few_data *again = open_part(f, spec, 0.1, FEW_DATA_TEST);
  int in[N] = {0}, of[2][3] = {{0}};
  assert_int_equal(few_data_n(kept) + few_data_n(held), N);
  assert_true(few_data_hash(held) == few_data_hash(again));
  assert_int_equal(few_data_n_classes(held), 3);
  for (int part = 0; part < 2; part++) {
    const few_data *d = part ? held : kept;
    int last = -1;
    for (int64_t i = 0; i < few_data_n(d); i++) {
      const int item = item_of(d, i);
      assert_true(item > last); /* the set's own order */
      last = item;
      in[item]++;
      assert_int_equal(few_data_label(d, i), few_data_label(whole, item));
      of[part][few_data_label(d, i)]++;
    }
  }
  for (int i = 0; i < N; i++) assert_int_equal(in[i], 1);
  for (int c = 0; c < 3; c++) {
    const int n = of[0][c] + of[1][c];
    assert_int_equal(of[1][c], n < 15 ? 1 : lrint(0.1 * n));
  }
  assert_non_null(strstr(few_data_note(held), "held out are"));
  few_data_free(whole);
  few_data_free(kept);
  few_data_free(held);
  few_data_free(again);
}

static void test_points_and_refusals(void **state) {
  struct files *f = *state;
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  few_data *d;
  const float one[2] = {1, 2};
  assert_ok(f->ctx, few__npy_write(f->ctx, files_path(f, "one.npy"), FEW_STORE_F32, 2,
                                   (int64_t[]){1, 2}, one));
  char spec[200];
  snprintf(spec, sizeof spec, "npy:%s", files_path(f, "one.npy"));
  o.split = FEW_DATA_TEST;
  assert_int_equal(few_data_open(&d, f->ctx, spec, &o), FEW_E_UNSUPPORTED);
  assert_non_null(strstr(few_error(f->ctx), "data_holdout = 0.1"));
  o.holdout = 0.5;
  assert_int_equal(few_data_open(&d, f->ctx, spec, &o), FEW_E_INVALID);
  assert_non_null(strstr(few_error(f->ctx), "none can be held out"));
  o.holdout = 1.5;
  assert_int_equal(few_data_open(&d, f->ctx, "toy:moons", &o), FEW_E_INVALID);
  few_data *a = open_part(f, "toy:moons", 0.25, FEW_DATA_TRAIN);
  few_data *b = open_part(f, "toy:moons", 0.25, FEW_DATA_TEST);
  assert_int_equal(few_data_n(a), 49152);
  assert_int_equal(few_data_n(b), 16384);
  few_data_free(a);
  few_data_free(b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_parts, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_points_and_refusals, files_setup, files_teardown)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
