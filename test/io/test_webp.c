/* WebP: the pixels are those that Pillow decodes (webp_reference.py); damage and limits. */
#include <stdio.h>

#include "corpus.h"
#include "io/png.h"
#include "io/webp.h"

enum { SIDE = 32768 };
#define DATA FEW_TEST_DIR "/io/data/webp/"

static few_status parse_and_free(few_ctx *ctx, const char *place, const void *bytes, size_t n) {
  struct few_image im;
  few_status st = few__webp_parse(ctx, &im, place, bytes, n, 3, SIDE);
  few__image_free(ctx, &im);
  return st;
}

static few_status read_file(few_ctx *ctx, struct few_image *out, const char *name, int channels,
                            int max_side) {
  char *bytes, path[256];
  size_t n;
  snprintf(path, sizeof path, "%s%s", DATA, name);
  assert_ok(ctx, few__file_read(ctx, &bytes, &n, path, 1 << 16));
  few_status st = few__webp_parse(ctx, out, path, bytes, n, channels, max_side);
  few__free(ctx, bytes);
  return st;
}

static void test_pixels(void **state) {
  (void)state;
  static const char *const names[] = {"lossless", "lossy", "alpha", "lossy_alpha", "turned"};
  static const int channels[] = {1, 3, 4};
  few_ctx *ctx = test_ctx();
  for (int i = 0; i < FEW_COUNT(names) * FEW_COUNT(channels); i++) {
    struct few_image im, want;
    char file[64], pixels[256];
    const int c = channels[i % 3];
    snprintf(file, sizeof file, "y_%s.webp", names[i / 3]);
    snprintf(pixels, sizeof pixels, "%s/io/data/webp_pixels/%s.png", FEW_TEST_DIR, names[i / 3]);
    assert_ok(ctx, read_file(ctx, &im, file, c, SIDE));
    assert_ok(ctx, few__png_read(ctx, &want, pixels, c, SIDE));
    assert_true(im.h == want.h && im.w == want.w && im.c == c);
    assert_memory_equal(im.at, want.at, (size_t)(im.h * im.w * c));
    few__image_free(ctx, &im);
    few__image_free(ctx, &want);
  }
  few_ctx_free(ctx);
}

static void test_refusals(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_image im;
  assert_int_equal(read_file(ctx, &im, "y_lossy.webp", 3, 22), FEW_E_FORMAT);
  assert_non_null(strstr(few_error(ctx), "23 x 17 pixels"));
  assert_int_equal(read_file(ctx, &im, "n_animation.webp", 3, SIDE), FEW_E_UNSUPPORTED);
  assert_non_null(strstr(few_error(ctx), "animation"));
  assert_int_equal(read_file(ctx, &im, "n_huge.webp", 3, SIDE), FEW_E_UNSUPPORTED);
  assert_non_null(strstr(few_error(ctx), "16383 x 16383"));
  assert_null(im.at);
  few_ctx_free(ctx);
}

static void test_damage(void **state) {
  (void)state;
  static const char *const files[] = {DATA "y_lossless.webp", DATA "y_lossy.webp",
                                      DATA "y_turned.webp"};
  few_ctx *ctx = test_ctx();
  for (int i = 0; i < FEW_COUNT(files); i++) {
    char *bytes;
    size_t n;
    assert_ok(ctx, few__file_read(ctx, &bytes, &n, files[i], 1 << 16));
    corpus_truncate(ctx, parse_and_free, bytes, n);
    corpus_flip(ctx, parse_and_free, bytes, n);
    few__free(ctx, bytes);
  }
  corpus_check(ctx, "webp", parse_and_free);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_pixels),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_damage),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
