/* Batches: every item occurs once per epoch, and a row depends only on its position. Also flips and
 * scaling. */
#include "files.h"

enum { N = 10, H = 2, W = 3, SIZE = H * W };

/* Item i has the bytes i * SIZE ... and the label i % 3. */
static few_data *small_set(struct files *f) {
  uint8_t images[16 + N * SIZE] = {0, 0, 8, 3, 0, 0, 0, N, 0, 0, 0, H, 0, 0, 0, W};
  uint8_t labels[8 + N] = {0, 0, 8, 1, 0, 0, 0, N};
  for (int i = 0; i < N * SIZE; i++) images[16 + i] = (uint8_t)i;
  for (int i = 0; i < N; i++) labels[8 + i] = (uint8_t)(i % 3);
  files_write(f, "images", images, sizeof images);
  files_write(f, "labels", labels, sizeof labels);
  few_data *d = NULL;
  assert_ok(f->ctx, files_open(f, &d, "idx", "images", "labels", NULL));
  return d;
}

static void test_each_item_once_an_epoch(void **state) {
  (void)state;
  static const int64_t sizes[] = {1, 2, 3, 10, 97, 1000};
  for (int s = 0; s < 6; s++) {
    int64_t n = sizes[s], same = 0;
    char *seen = calloc((size_t)n, 1);
    assert_non_null(seen);
    for (int64_t epoch = 0; epoch < 3; epoch++) {
      memset(seen, 0, (size_t)n);
      for (int64_t i = 0; i < n; i++) {
        int64_t at = few_data_batch_index(n, 5, epoch * n + i);
        assert_true(at >= 0 && at < n && !seen[at]);
        seen[at] = 1;
        same += epoch && at == few_data_batch_index(n, 5, i);
      }
    }
    if (n == 1000)
      assert_true(same < 40); /* two unrelated permutations agree at one position on average */
    free(seen);
  }
}

static void test_rows_depend_on_position_alone(void **state) {
  struct files *f = *state;
  few_data *d = small_set(f);
  struct few_data_stream s = FEW_DATA_STREAM_INIT;
  s.seed = 9;
  s.flip = true;
  s.scale = few_data_scale_to(d, 0.5);
  enum { ROWS = 35 };
  float whole[ROWS * SIZE], row[SIZE + 1];
  int32_t labels[ROWS], label;
  assert_ok(f->ctx, few_data_fill(whole, labels, d, &s, 0, ROWS));
  for (int i = 0; i < ROWS; i++) {
    row[SIZE] = 77;
    assert_ok(f->ctx, few_data_fill(row, &label, d, &s, i, 1));
    assert_memory_equal(row, whole + i * SIZE, SIZE * sizeof *row);
    assert_int_equal(label, labels[i]);
    assert_int_equal(label, few_data_batch_index(N, 9, i) % 3);
    assert_close(row[SIZE], 77, 0);
  }
  assert_ok(f->ctx, few_data_fill(NULL, NULL, d, &s, 3, 0));
  few_data_free(d);
}

static void test_flips_mirror_about_half(void **state) {
  struct files *f = *state;
  few_data *d = small_set(f);
  struct few_data_stream s = FEW_DATA_STREAM_INIT;
  s.shuffle = false;
  s.flip = true;
  enum { ROWS = 1000 };
  static float x[ROWS * SIZE];
  assert_ok(f->ctx, few_data_fill(x, NULL, d, &s, 0, ROWS));
  int mirrored = 0;
  for (int i = 0; i < ROWS; i++) {
    float raw[SIZE];
    assert_ok(f->ctx, few_data_get(raw, d, i % N));
    const float *r = x + i * SIZE;
    bool flip = r[0] > r[1]; /* bytes rise along a row of an image */
    for (int y = 0; y < H; y++)
      for (int c = 0; c < W; c++)
        assert_close(r[y * W + c], raw[y * W + (flip ? W - 1 - c : c)], 0);
    mirrored += flip;
  }
  assert_close(mirrored, ROWS / 2, 5 * sqrt(ROWS) / 2);
  few_data_free(d);
}

static void test_scaled_set_has_the_moments_asked_for(void **state) {
  struct files *f = *state;
  few_data *sets[2] = {small_set(f), NULL};
  assert_ok(f->ctx, few_data_open(&sets[1], f->ctx, "toy:moons", NULL));
  for (int k = 0; k < 2; k++) {
    struct few_data_stream s = FEW_DATA_STREAM_INIT;
    s.scale = few_data_scale_to(sets[k], 0.5);
    int64_t n = few_data_n(sets[k]), total = n * few_data_item_size(sets[k]);
    float *x = malloc((size_t)total * sizeof *x);
    assert_non_null(x);
    assert_ok(f->ctx, few_data_fill(x, NULL, sets[k], &s, 7 * n, n)); /* one whole epoch */
    double mean = 0, square = 0;
    for (int64_t i = 0; i < total; i++) {
      mean += x[i] / (double)total;
      square += (double)x[i] * x[i] / (double)total;
    }
    assert_close(mean, 0, 6e-8); /* |x| < 2: a float's rounding */
    assert_close(sqrt(square), 0.5, 1e-7);
    free(x);
    few_data_free(sets[k]);
  }
}

static void test_constant_set_keeps_its_scale(void **state) {
  struct files *f = *state;
  uint8_t b[16 + 4] = {0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 9, 9, 9, 9};
  files_write(f, "constant", b, sizeof b);
  few_data *d = NULL;
  assert_ok(f->ctx, files_open(f, &d, "idx", "constant", NULL, NULL));
  assert_close(few_data_std(d), 0, 0);
  assert_close(few_data_scale_to(d, 0.5).scale, 1, 0);
  few_data_free(d);
}

static void test_places_outside_the_stream(void **state) {
  struct files *f = *state;
  few_data *d = small_set(f);
  struct few_data_stream s = FEW_DATA_STREAM_INIT;
  float x[SIZE];
  int64_t end = (int64_t)1 << 40;
  assert_int_equal(few_data_fill(x, NULL, d, &s, -1, 1), FEW_E_INVALID);
  assert_int_equal(few_data_fill(x, NULL, d, &s, 0, -1), FEW_E_INVALID);
  assert_int_equal(few_data_fill(x, NULL, d, &s, end, 1), FEW_E_INVALID);
  assert_int_equal(few_data_fill(x, NULL, d, &s, INT64_MAX, 1), FEW_E_INVALID);
  assert_int_equal(few_data_fill(x, NULL, d, &s, 1, INT64_MAX), FEW_E_INVALID);
  assert_ok(f->ctx, few_data_fill(x, NULL, d, &s, end - 1, 1));
  few_data_free(d);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, files_setup, files_teardown)
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_each_item_once_an_epoch),
      TEST(test_rows_depend_on_position_alone),
      TEST(test_flips_mirror_about_half),
      TEST(test_scaled_set_has_the_moments_asked_for),
      TEST(test_constant_set_keeps_its_scale),
      TEST(test_places_outside_the_stream),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
