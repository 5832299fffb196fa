/* IDX: written files are read back. Every truncation, wrong magic number and mismatch is an
 * error. */
#include <zlib.h>

#include "files.h"

enum { N = 6, H = 2, W = 3, IMAGES = 16 + N * H * W, LABELS = 8 + N };

static void put32(uint8_t *p, uint32_t v) {
  for (int i = 0; i < 4; i++) p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static void make_images(uint8_t b[IMAGES]) {
  put32(b, 0x803);
  put32(b + 4, N);
  put32(b + 8, H);
  put32(b + 12, W);
  for (int i = 0; i < N * H * W; i++) b[16 + i] = (uint8_t)(i * 7);
}

static void make_labels(uint8_t b[LABELS]) {
  put32(b, 0x801);
  put32(b + 4, N);
  for (int i = 0; i < N; i++) b[8 + i] = (uint8_t)(i % 3);
}

static void write_pair(struct files *f) {
  uint8_t images[IMAGES], labels[LABELS];
  make_images(images);
  make_labels(labels);
  files_write(f, "images", images, sizeof images);
  files_write(f, "labels", labels, sizeof labels);
}

static void test_reads_what_was_written(void **state) {
  struct files *f = *state;
  few_data *d = NULL;
  write_pair(f);
  assert_ok(f->ctx, files_open(f, &d, "idx", "images", "labels", NULL));
  assert_int_equal(few_data_get_kind(d), FEW_DATA_IMAGES);
  assert_int_equal(few_data_n(d), N);
  assert_int_equal(few_data_h(d), H);
  assert_int_equal(few_data_w(d), W);
  assert_int_equal(few_data_c(d), 1);
  assert_int_equal(few_data_n_classes(d), 3);
  assert_null(few_data_class_name(d, 0));
  for (int i = 0; i < N; i++) {
    float x[H * W];
    assert_ok(f->ctx, few_data_get(x, d, i));
    assert_int_equal(few_data_label(d, i), i % 3);
    for (int j = 0; j < H * W; j++)
      assert_close(x[j], (float)((uint8_t)((i * H * W + j) * 7) / 127.5 - 1), 0);
  }
  float untouched[H * W] = {5};
  assert_int_equal(few_data_get(untouched, d, N), FEW_E_INVALID);
  assert_int_equal(few_data_get(untouched, d, -1), FEW_E_INVALID);
  assert_close(untouched[0], 5, 0);
  assert_int_equal(few_data_label(d, N), -1);
  few_data_free(d);
}

static void test_four_dimensions_and_no_labels(void **state) {
  struct files *f = *state;
  uint8_t b[20 + 2 * 2 * 1 * 3];
  put32(b, 0x804);
  put32(b + 4, 2);
  put32(b + 8, 2);
  put32(b + 12, 1);
  put32(b + 16, 3);
  for (int i = 0; i < 12; i++) b[20 + i] = (uint8_t)i;
  files_write(f, "rgb", b, sizeof b);
  few_data *d = NULL;
  assert_ok(f->ctx, files_open(f, &d, "idx", "rgb", NULL, NULL));
  assert_int_equal(few_data_c(d), 3);
  assert_int_equal(few_data_w(d), 1);
  assert_int_equal(few_data_n_classes(d), 0);
  assert_int_equal(few_data_label(d, 0), -1);
  few_data_free(d);
}

static void test_statistics_limit_and_hash(void **state) {
  struct files *f = *state;
  few_data *all = NULL, *part = NULL;
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  write_pair(f);
  assert_ok(f->ctx, files_open(f, &all, "idx", "images", "labels", NULL));
  double sum = 0, sq = 0;
  for (int i = 0; i < N * H * W; i++) {
    double x = (uint8_t)(i * 7) / 127.5 - 1;
    sum += x / (N * H * W);
    sq += x * x / (N * H * W);
  }
  assert_close(few_data_mean(all), sum, 1e-15);
  assert_close(few_data_std(all), sqrt(sq - sum * sum), 1e-14);
  struct few_data_scale s = few_data_scale_to(all, 0.5);
  assert_close(s.mean, sum, 1e-15);
  assert_close(s.scale * few_data_std(all), 0.5, 1e-15);
  o.limit = 4;
  assert_ok(f->ctx, files_open(f, &part, "idx", "images", "labels", &o));
  assert_int_equal(few_data_n(part), 4);
  assert_true(few_data_hash(part) != few_data_hash(all));
  few_data_free(part);
  o.limit = 100;
  assert_ok(f->ctx, files_open(f, &part, "idx", "images", "labels", &o));
  assert_true(few_data_hash(part) == few_data_hash(all));
  few_data_free(part);
  few_data_free(all);
}

static void test_image_file_cut_anywhere(void **state) {
  struct files *f = *state;
  struct few_data_opts skip = FEW_DATA_OPTS_INIT;
  skip.on_error = FEW_DATA_SKIP;
  uint8_t b[IMAGES];
  make_images(b);
  for (size_t n = 0; n < IMAGES; n++) {
    files_write(f, "cut", b, n);
    assert_refused(f, "idx", "cut", NULL, NULL, FEW_E_FORMAT, "cut");
    int64_t whole = n < 16 ? 0 : (int64_t)(n - 16) / (H * W);
    if (whole == 0) {
      assert_refused(f, "idx", "cut", NULL, &skip, FEW_E_FORMAT, "cut");
      continue;
    }
    few_data *d = NULL;
    assert_ok(f->ctx, files_open(f, &d, "idx", "cut", NULL, &skip));
    assert_int_equal(few_data_n(d), whole);
    assert_int_equal(few_data_skipped(d), N - whole);
    assert_true(f->warnings > 0);
    few_data_free(d);
  }
}

static void test_label_file_cut_anywhere(void **state) {
  struct files *f = *state;
  struct few_data_opts skip = FEW_DATA_OPTS_INIT;
  skip.on_error = FEW_DATA_SKIP;
  uint8_t b[LABELS];
  write_pair(f);
  make_labels(b);
  for (size_t n = 0; n < LABELS; n++) {
    files_write(f, "cut", b, n);
    assert_refused(f, "idx", "images", "cut", NULL, FEW_E_FORMAT, "cut");
    if (n <= 8) continue;
    few_data *d = NULL;
    assert_ok(f->ctx, files_open(f, &d, "idx", "images", "cut", &skip));
    assert_int_equal(few_data_n(d), n - 8);
    assert_int_equal(few_data_skipped(d), LABELS - n);
    few_data_free(d);
  }
}

static void test_both_cut_counts_an_item_once(void **state) {
  struct files *f = *state;
  struct few_data_opts skip = FEW_DATA_OPTS_INIT;
  skip.on_error = FEW_DATA_SKIP;
  uint8_t images[IMAGES], labels[LABELS];
  make_images(images);
  make_labels(labels);
  files_write(f, "images", images, IMAGES - 1);
  files_write(f, "labels", labels, LABELS - 3);
  few_data *d = NULL;
  assert_ok(f->ctx, files_open(f, &d, "idx", "images", "labels", &skip));
  assert_int_equal(few_data_n(d), N - 3);
  assert_int_equal(few_data_skipped(d), 3);
  few_data_free(d);
}

static void test_gzip_whole_and_cut_anywhere(void **state) {
  struct files *f = *state;
  uint8_t b[IMAGES], packed[256];
  make_images(b);
  gzFile out = gzopen(files_path(f, "images.gz"), "wb");
  assert_non_null(out);
  assert_int_equal(gzwrite(out, b, IMAGES), IMAGES);
  assert_int_equal(gzclose(out), Z_OK);
  few_data *plain = NULL, *d = NULL;
  files_write(f, "images", b, sizeof b);
  assert_ok(f->ctx, files_open(f, &plain, "idx", "images", NULL, NULL));
  assert_ok(f->ctx, files_open(f, &d, "idx", "images.gz", NULL, NULL));
  assert_true(few_data_hash(d) == few_data_hash(plain));
  few_data_free(d);
  few_data_free(plain);
  FILE *in = fopen(files_path(f, "images.gz"), "rb");
  assert_non_null(in);
  size_t n = fread(packed, 1, sizeof packed, in);
  fclose(in);
  for (size_t cut = 0; cut < n; cut++) {
    files_write(f, "cut.gz", packed, cut);
    assert_refused(f, "idx", "cut.gz", NULL, NULL, FEW_E_FORMAT, "cut.gz");
  }
}

static void test_headers_that_lie(void **state) {
  struct files *f = *state;
  static const struct {
    size_t at;
    uint32_t value;
    const char *part;
  } cases[] = {
      {0, 0x801, "right file"},   {0, 0x805, "right file"},        {0, 0xd03, "right file"},
      {4, 0, "more bytes"},       {4, N - 1, "more bytes"},        {4, N + 1, "truncated"},
      {4, 1u << 31, "truncated"}, {4, 0xffffffff, "truncated"},    {8, 0, "dimension 1"},
      {8, 1u << 31, "header"},    {12, 0xffffffff, "dimension 2"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    uint8_t b[IMAGES];
    make_images(b);
    put32(b + cases[i].at, cases[i].value);
    files_write(f, "bad", b, sizeof b);
    assert_refused(f, "idx", "bad", NULL, NULL, FEW_E_FORMAT, cases[i].part);
  }
  uint8_t empty[16];
  put32(empty, 0x803);
  put32(empty + 4, 0);
  put32(empty + 8, H);
  put32(empty + 12, W);
  files_write(f, "empty", empty, sizeof empty);
  assert_refused(f, "idx", "empty", NULL, NULL, FEW_E_FORMAT, "no usable item");
}

static void test_pairs_that_do_not_belong(void **state) {
  struct files *f = *state;
  uint8_t b[LABELS];
  write_pair(f);
  make_labels(b);
  put32(b + 4, N - 1);
  files_write(f, "fewer", b, LABELS - 1);
  assert_refused(f, "idx", "images", "fewer", NULL, FEW_E_FORMAT, "6 images");
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  o.on_error = FEW_DATA_SKIP;
  assert_refused(f, "idx", "images", "fewer", &o, FEW_E_FORMAT, "belong together");
  assert_refused(f, "idx", "labels", "images", NULL, FEW_E_FORMAT, "right file");
  assert_refused(f, "idx", "absent", NULL, NULL, FEW_E_IO, "absent");
  assert_refused(f, "idx", "images", "absent", NULL, FEW_E_IO, "absent");
}

static void test_specs_and_options_that_cannot_be(void **state) {
  struct files *f = *state;
  static const char *const specs[] = {
      "",    "nonsense", "idx",  "idx:", "idx:a,", "idx:,",          "idx:a,b,c",
      "toy", "toy:cube", "toy:", "id:a", "idxx:a", "fashion-mnist:x"};
  few_data *d = NULL;
  for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
    assert_int_equal(few_data_open(&d, f->ctx, specs[i], NULL), FEW_E_INVALID);
    assert_null(d);
  }
  write_pair(f);
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  o.split = FEW_DATA_TEST;
  assert_refused(f, "idx", "images", NULL, &o, FEW_E_UNSUPPORTED, "no test split");
  o = (struct few_data_opts)FEW_DATA_OPTS_INIT;
  o.limit = -1;
  assert_refused(f, "idx", "images", NULL, &o, FEW_E_INVALID, "limit");
  o = (struct few_data_opts)FEW_DATA_OPTS_INIT;
  o.channels = 2;
  assert_refused(f, "idx", "images", NULL, &o, FEW_E_INVALID, "channels");
  o = (struct few_data_opts)FEW_DATA_OPTS_INIT;
  o.version = 0;
  assert_refused(f, "idx", "images", NULL, &o, FEW_E_INVALID, "FEW_DATA_OPTS_INIT");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, files_setup, files_teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_reads_what_was_written),      TEST(test_four_dimensions_and_no_labels),
      TEST(test_statistics_limit_and_hash),   TEST(test_image_file_cut_anywhere),
      TEST(test_label_file_cut_anywhere),     TEST(test_both_cut_counts_an_item_once),
      TEST(test_gzip_whole_and_cut_anywhere), TEST(test_headers_that_lie),
      TEST(test_pairs_that_do_not_belong),    TEST(test_specs_and_options_that_cannot_be),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
