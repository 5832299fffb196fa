/* PNG: written files are read back, and every kind of encoding gives the same pixels. Also damage,
 * and grids of images. */
#include <unistd.h>

#include "corpus.h"
#include "io/png.h"

static const char path[] = "few_test.png";

static few_status parse_and_free(few_ctx *ctx, const char *place, const void *bytes, size_t n) {
  static const int channels[] = {1, 3, 4};
  few_status st = FEW_OK;
  for (int i = 0; !st && i < 3; i++) {
    struct few_image im;
    st = few__png_parse(ctx, &im, place, bytes, n, channels[i], 4096);
    few__image_free(ctx, &im);
  }
  return st;
}

static struct few_image sample(few_ctx *ctx, int h, int w, int c) {
  struct few_image im;
  assert_ok(ctx, few__image_new(ctx, &im, h, w, c));
  for (int i = 0; i < h * w * c; i++) im.at[i] = (uint8_t)(i * 73 + i / 5);
  return im;
}

static void test_round_trip(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  static const int channels[] = {1, 3, 4};
  for (int i = 0; i < 3; i++) {
    struct few_image a = sample(ctx, 5, 7, channels[i]), b;
    assert_ok(ctx, few__png_write(ctx, path, &a, NULL, 0));
    assert_ok(ctx, few__png_read(ctx, &b, path, channels[i], 7));
    assert_true(b.h == 5 && b.w == 7 && b.c == channels[i]);
    assert_memory_equal(a.at, b.at, (size_t)(5 * 7 * channels[i]));
    few__image_free(ctx, &b);
    assert_int_equal(few__png_read(ctx, &b, path, channels[i], 6), FEW_E_FORMAT);
    assert_non_null(strstr(few_error(ctx), "7 x 5 pixels"));
    assert_int_equal(few__png_read(ctx, &b, path, 2, 7), FEW_E_INVALID);
    few__image_free(ctx, &a);
  }
  unlink(path);
  few_ctx_free(ctx);
}

static void test_text(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_image a = sample(ctx, 2, 2, 3);
  struct few_png_text text[] = {{"Software", "few 0.1"}, {"Author", "Zo\xc3\xab"}};
  uint8_t *one, *two;
  size_t n, m;
  assert_ok(ctx, few__png_encode(ctx, &one, &n, &a, text, 2));
  assert_ok(ctx, few__png_encode(ctx, &two, &m, &a, text, 2));
  assert_int_equal(n, m);
  assert_memory_equal(one, two, n);
  int ascii = 0, wide = 0;
  for (size_t i = 0; i + 20 < n; i++) {
    ascii += memcmp(one + i, "tEXtSoftware\0few 0.1", 20) == 0;
    wide += memcmp(one + i, "iTXtAuthor\0", 11) == 0;
  }
  assert_true(ascii == 1 && wide == 1);
  few__free(ctx, one);
  few__free(ctx, two);
  text[0].key = "";
  assert_int_equal(few__png_encode(ctx, &one, &n, &a, text, 2), FEW_E_INVALID);
  a.c = 2;
  assert_int_equal(few__png_encode(ctx, &one, &n, &a, NULL, 0), FEW_E_INVALID);
  a.c = 3;
  assert_int_equal(few__png_write(ctx, "/dev/full", &a, NULL, 0), FEW_E_IO);
  few__image_free(ctx, &a);
  few_ctx_free(ctx);
}

/* One image of 2 x 2: red, half transparent black, white, blue, in several encodings. */
static void test_kinds(void **state) {
  (void)state;
  static const char *const files[] = {"y_rgba8", "y_rgba16", "y_palette_alpha", "y_interlaced"};
  static const uint8_t rgba[16] = {255, 0,   0,   255, 0, 0, 0,   128,
                                   255, 255, 255, 255, 0, 0, 255, 255};
  static const uint8_t rgb[12] = {255, 0, 0, 127, 127, 127, 255, 255, 255, 0, 0, 255};
  static const uint8_t grey[4] = {76, 127, 255, 29};
  few_ctx *ctx = test_ctx();
  for (int i = 0; i < FEW_COUNT(files); i++) {
    char name[512];
    struct few_image im;
    snprintf(name, sizeof name, "%s/io/data/png/%s.png", FEW_TEST_DIR, files[i]);
    assert_ok(ctx, few__png_read(ctx, &im, name, 4, 100));
    assert_memory_equal(im.at, rgba, 16);
    few__image_free(ctx, &im);
    assert_ok(ctx, few__png_read(ctx, &im, name, 3, 100));
    assert_memory_equal(im.at, rgb, 12);
    few__image_free(ctx, &im);
    assert_ok(ctx, few__png_read(ctx, &im, name, 1, 100));
    assert_memory_equal(im.at, grey, 4);
    few__image_free(ctx, &im);
  }
  few_ctx_free(ctx);
}

static void test_damage(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_image a = sample(ctx, 5, 7, 3);
  struct few_png_text text = {"Software", "few"};
  uint8_t *bytes;
  size_t n;
  assert_ok(ctx, few__png_encode(ctx, &bytes, &n, &a, &text, 1));
  corpus_truncate(ctx, parse_and_free, bytes, n);
  corpus_flip(ctx, parse_and_free, bytes, n);
  few__free(ctx, bytes);
  few__image_free(ctx, &a);
  corpus_check(ctx, "png", parse_and_free);
  few_ctx_free(ctx);
}

static void test_grid(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_image grid;
  const uint8_t images[3 * 2] = {1, 2, 3, 4, 5, 6}; /* three of 1 x 2 */
  assert_ok(ctx, few__image_grid(ctx, &grid, images, 3, 1, 2, 1, 0));
  assert_true(grid.h == 2 * 3 + 2 && grid.w == 2 * 4 + 2 && grid.c == 1);
  int sum = 0;
  for (int i = 0; i < grid.h * grid.w; i++) sum += grid.at[i] != 128;
  assert_int_equal(sum, 6);
  assert_int_equal(grid.at[2 * grid.w + 2], 1);
  assert_int_equal(grid.at[2 * grid.w + 7], 4);
  assert_int_equal(grid.at[5 * grid.w + 3], 6);
  few__image_free(ctx, &grid);
  assert_int_equal(few__image_grid(ctx, &grid, images, 0, 1, 2, 1, 0), FEW_E_INVALID);
  assert_int_equal(few__image_grid(ctx, &grid, images, 1, INT32_MAX, 2, 1, 0), FEW_E_INVALID);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trip), cmocka_unit_test(test_text), cmocka_unit_test(test_kinds),
      cmocka_unit_test(test_damage),     cmocka_unit_test(test_grid),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
