/* JPEG: the pixels are close to the original; truncation is detected. */
#include "corpus.h"
#include "io/jpeg.h"

enum { H = 17, W = 23, SIDE = 4096 };
#define DATA FEW_TEST_DIR "/io/data/jpeg/"

static few_status parse_and_free(few_ctx *ctx, const char *place, const void *bytes, size_t n) {
  struct few_image im;
  few_status st = few__jpeg_parse(ctx, &im, place, bytes, n, 3, SIDE);
  few__image_free(ctx, &im);
  if (st) return st;
  st = few__jpeg_parse(ctx, &im, place, bytes, n, 1, SIDE);
  few__image_free(ctx, &im);
  return st;
}

/* The image is r = 11 x, g = 15 y, b = 6 (x + y). It is linear, so that halving the resolution of
 * the colours changes little except at the edges. The DCT preserves the norm, and the coarsest
 * quantisation step of quality 90 is 24, so the rms error of the luma is at most 24 / sqrt(12).
 * Blue, Y + 1.772 Cb, has the largest error. */
static void test_pixels(void **state) {
  (void)state;
  static const struct {
    const char *file;
    int channels;
  } cases[] = {{DATA "y_444.jpg", 3},     {DATA "y_rgb.jpg", 3}, {DATA "y_progressive.jpg", 3},
               {DATA "y_restart.jpg", 3}, {DATA "y_444.jpg", 1}, {DATA "y_grey.jpg", 1}};
  few_ctx *ctx = test_ctx();
  for (int i = 0; i < FEW_COUNT(cases); i++) {
    struct few_image im;
    double sum = 0,
           bound = 24 / sqrt(12.0) * (cases[i].channels == 1 ? 1 : sqrt(1 + 1.772 * 1.772));
    assert_ok(ctx, few__jpeg_read(ctx, &im, cases[i].file, cases[i].channels, W));
    assert_true(im.h == H && im.w == W && im.c == cases[i].channels);
    for (int p = 0; p < H * W; p++) {
      double x = p % W, y = p / W, rgb[3] = {11 * x, 15 * y, 6 * (x + y)};
      double luma = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
      for (int c = 0; c < im.c; c++) {
        double d = im.at[p * im.c + c] - (im.c == 1 ? luma : rgb[c]);
        sum += d * d / (H * W * im.c);
      }
    }
    assert_close(sqrt(sum), 0, bound);
    few__image_free(ctx, &im);
  }
  few_ctx_free(ctx);
}

static void test_grey_as_rgb(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_image grey, rgb;
  assert_ok(ctx, few__jpeg_read(ctx, &grey, DATA "y_grey.jpg", 1, W));
  assert_ok(ctx, few__jpeg_read(ctx, &rgb, DATA "y_grey.jpg", 3, W));
  for (int i = 0; i < H * W * 3; i++) assert_int_equal(rgb.at[i], grey.at[i / 3]);
  few__image_free(ctx, &grey);
  few__image_free(ctx, &rgb);
  few_ctx_free(ctx);
}

static void test_refusals(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_image im;
  assert_int_equal(few__jpeg_read(ctx, &im, DATA "y_rgb.jpg", 4, W), FEW_E_INVALID);
  assert_int_equal(few__jpeg_read(ctx, &im, DATA "y_rgb.jpg", 3, W - 1), FEW_E_FORMAT);
  assert_non_null(strstr(few_error(ctx), "23 x 17 pixels"));
  assert_int_equal(few__jpeg_read(ctx, &im, DATA "n_cmyk.jpg", 3, W), FEW_E_UNSUPPORTED);
  assert_null(im.at);
  few_ctx_free(ctx);
}

static void test_damage(void **state) {
  (void)state;
  static const char *const files[] = {DATA "y_rgb.jpg", DATA "y_progressive.jpg"};
  few_ctx *ctx = test_ctx();
  for (int i = 0; i < FEW_COUNT(files); i++) {
    char *bytes;
    size_t n;
    assert_ok(ctx, few__file_read(ctx, &bytes, &n, files[i], 1 << 16));
    corpus_truncate(ctx, parse_and_free, bytes, n);
    corpus_flip(ctx, parse_and_free, bytes, n);
    few__free(ctx, bytes);
  }
  corpus_check(ctx, "jpeg", parse_and_free);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_pixels),
      cmocka_unit_test(test_grey_as_rgb),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_damage),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
