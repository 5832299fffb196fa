/* Images are turned upright: every orientation, both byte orders, in JPEG and in PNG. */
#include <zlib.h>

#include "corpus.h"
#include "io/exif.h"
#include "io/jpeg.h"
#include "io/photo.h"
#include "io/png.h"

#define DATA FEW_TEST_DIR "/io/data/"

/* The upright image, and how a camera stores it. The comments are those of TIFF 6.0: where row 0
 * and column 0 of the stored image are. */
static const char *const upright =
    "abc"
    "def";
static const struct {
  int h, w;
  const char *stored;
} cases[9] = {{0, 0, NULL},     {2, 3, "abcdef"}, /* 1: rows from the top, columns from the left */
              {2, 3, "cbafed"},                   /* 2: top, right */
              {2, 3, "fedcba"},                   /* 3: bottom, right */
              {2, 3, "defabc"},                   /* 4: bottom, left */
              {3, 2, "adbecf"},  /* 5: rows are columns from the left, their start is the top */
              {3, 2, "cfbead"},  /* 6: columns from the right, from the top */
              {3, 2, "fcebda"},  /* 7: columns from the right, from the bottom */
              {3, 2, "daebfc"}}; /* 8: columns from the left, from the bottom */

static void test_upright(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  for (int o = 0; o <= 9; o++) {
    const int as = o >= 1 && o <= 8 ? o : 1;
    for (int c = 1; c <= 4; c += c == 1 ? 2 : 1) {
      struct few_image im;
      assert_ok(ctx, few__image_new(ctx, &im, cases[as].h, cases[as].w, c));
      for (int i = 0; i < 6 * c; i++) im.at[i] = (uint8_t)(cases[as].stored[i / c] + 10 * (i % c));
      assert_ok(ctx, few__image_upright(ctx, &im, o));
      assert_true(im.h == 2 && im.w == 3 && im.c == c);
      for (int i = 0; i < 6 * c; i++) assert_int_equal(im.at[i], upright[i / c] + 10 * (i % c));
      few__image_free(ctx, &im);
    }
  }
  few_ctx_free(ctx);
}

static const struct {
  const char *file;
  int orientation;
} blocks[] = {{"y_big_6", 6}, {"y_little_8", 8}, {"y_long_3", 3}, {"y_late_5", 5},
              {"n_range", 1}, {"n_count", 1},    {"n_start", 1},  {"n_start_last", 1},
              {"n_order", 1}, {"n_entries", 1}};

/* A truncated block gives the same orientation or none. Memory has exactly the size of the
 * block. */
static void test_blocks(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  for (int i = 0; i < FEW_COUNT(blocks); i++) {
    char path[300], *bytes;
    size_t n;
    snprintf(path, sizeof path, DATA "exif/%s", blocks[i].file);
    assert_ok(ctx, few__file_read(ctx, &bytes, &n, path, 1000));
    for (size_t k = 0; k <= n; k++) {
      char *cut = malloc(k ? k : 1);
      memcpy(cut, bytes, k);
      const int o = few__exif_orientation(cut, k);
      assert_true(o == blocks[i].orientation || (o == 1 && k < n));
      free(cut);
    }
    few__free(ctx, bytes);
  }
  few_ctx_free(ctx);
}

enum { EXIF = 26, H = 17, W = 23 };

static void make_exif(uint8_t out[EXIF], int orientation) {
  static const uint8_t block[EXIF] = {'M', 'M', 0, 42, 0, 0, 0, 8, 0, 1, 1, 18, 0,
                                      3,   0,   0, 0,  1, 0, 0, 0, 0, 0, 0, 0,  0};
  memcpy(out, block, EXIF);
  out[19] = (uint8_t)orientation;
}

/* Returns a copy of a file with `more` inserted at byte `at`. */
static uint8_t *inserted(few_ctx *ctx, const char *file, size_t from_end, size_t at,
                         const uint8_t *more, size_t k, size_t *n) {
  char *bytes;
  assert_ok(ctx, few__file_read(ctx, &bytes, n, file, 1 << 16));
  if (from_end) at = *n - from_end;
  uint8_t *out = malloc(*n + k);
  memcpy(out, bytes, at);
  memcpy(out + at, more, k);
  memcpy(out + at + k, bytes + at, *n - at);
  *n += k;
  few__free(ctx, bytes);
  return out;
}

static few_status photo(few_ctx *ctx, struct few_image *out, const char *place, const void *bytes,
                        size_t n) {
  struct few_feed from;
  struct few_image_whole whole;
  struct few_image_sink sink = few__image_whole(ctx, &whole, out, 3);
  few__feed_memory(ctx, &from, place, bytes, n);
  return few__photo_rows(ctx, &from, 100, &sink);
}

/* The pixels are those of the image without Exif, turned. */
static void check(few_ctx *ctx, const char *file, const uint8_t *bytes, size_t n, int orientation) {
  struct few_image plain, turned;
  char *without;
  size_t n_without;
  assert_ok(ctx, few__file_read(ctx, &without, &n_without, file, 1 << 16));
  assert_ok(ctx, photo(ctx, &plain, file, without, n_without));
  few__free(ctx, without);
  assert_ok(ctx, photo(ctx, &turned, "noted", bytes, n));
  assert_ok(ctx, few__image_upright(ctx, &plain, orientation));
  assert_true(plain.h == turned.h && plain.w == turned.w && plain.c == turned.c);
  assert_memory_equal(plain.at, turned.at, (size_t)(plain.h * plain.w * plain.c));
  few__image_free(ctx, &plain);
  few__image_free(ctx, &turned);
}

static void test_jpeg(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  for (int o = 1; o <= 8; o++) {
    uint8_t app1[10 + EXIF] = {0xff, 0xe1, 0, 8 + EXIF, 'E', 'x', 'i', 'f', 0, 0};
    size_t n;
    make_exif(app1 + 10, o);
    uint8_t *bytes = inserted(ctx, DATA "jpeg/y_444.jpg", 0, 2, app1, sizeof app1, &n);
    check(ctx, DATA "jpeg/y_444.jpg", bytes, n, o);
    free(bytes);
  }
  few_ctx_free(ctx);
}

/* The Exif chunk of a PNG file may be before the pixels or after them. */
static void test_png(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  for (int o = 1; o <= 8; o++)
    for (int late = 0; late < 2; late++) {
      enum { IEND = 12, IHDR_ENDS = 33 };
      uint8_t chunk[12 + EXIF] = {0, 0, 0, EXIF, 'e', 'X', 'I', 'f'};
      size_t n;
      make_exif(chunk + 8, o);
      const uLong crc = crc32(0, chunk + 4, 4 + EXIF);
      for (int i = 0; i < 4; i++) chunk[8 + EXIF + i] = (uint8_t)(crc >> (24 - 8 * i));
      uint8_t *bytes = inserted(ctx, DATA "png/y_palette_alpha.png", late ? IEND : 0, IHDR_ENDS,
                                chunk, sizeof chunk, &n);
      check(ctx, DATA "png/y_palette_alpha.png", bytes, n, o);
      free(bytes);
    }
  few_ctx_free(ctx);
}

/* The content of a file decides its format, not its name. */
static void test_content(void **state) {
  (void)state;
  static const char *const foreign[][2] = {{"RIFF\xff\xff\3\4WEBP", "the file ends too early"},
                                           {"GIF89a", "contains GIF: convert it"},
                                           {"text", "neither"}};
  few_ctx *ctx = test_ctx();
  struct few_image a;
  char *bytes;
  size_t n;
  assert_ok(ctx, few__file_read(ctx, &bytes, &n, DATA "jpeg/y_444.jpg", 1 << 16));
  assert_ok(ctx, photo(ctx, &a, "x.png", bytes, n));
  assert_true(a.h == H && a.w == W && a.c == 3);
  few__image_free(ctx, &a);
  few__free(ctx, bytes);
  for (int i = 0; i < FEW_COUNT(foreign); i++) {
    assert_true(photo(ctx, &a, "x.png", foreign[i][0], strlen(foreign[i][0])));
    assert_non_null(strstr(few_error(ctx), foreign[i][1]));
  }
  assert_true(few__photo_named("a.JPG") && few__photo_named("b.Png") && !few__photo_named(".png"));
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_upright), cmocka_unit_test(test_blocks),  cmocka_unit_test(test_jpeg),
      cmocka_unit_test(test_png),     cmocka_unit_test(test_content),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
