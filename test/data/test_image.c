/* Shrinking an image while it is decoded gives the same pixels as shrinking it afterwards, for any
 * order of pixels in the file and any orientation. */
#include <png.h>

#include "data/image.h"
#include "files.h"
#include "io/file.h"
#include "io/jpeg.h"
#include "io/png.h"

enum { H = 17, W = 24, SIZE = 5 };

static struct few_image read_fit(struct files *f, const char *name, int size, int c,
                                 few_data_fit fit) {
  struct few_image im;
  const struct few_image_opts o = {
      .size = size, .fit = fit, .c = c, .background = 77, .max_side = 1000};
  assert_ok(f->ctx, few__image_read(f->ctx, &im, files_path(f, name), &o));
  return im;
}

static struct few_image read_image(struct files *f, const char *name, int size, int c) {
  return read_fit(f, name, size, c, FEW_DATA_CROP);
}

static void write_noise(struct files *f, const char *name, int interlace) {
  uint8_t pixels[H][W * 4];
  png_bytep rows[H];
  uint32_t r = 1;
  for (int i = 0; i < H * W * 4; i++)
    pixels[i / (4 * W)][i % (4 * W)] = (uint8_t)((r = r * 1664525u + 1013904223u) >> 24);
  for (int y = 0; y < H; y++) rows[y] = pixels[y];
  FILE *out = fopen(files_path(f, name), "wb");
  assert_non_null(out);
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
  png_infop info = png_create_info_struct(png);
  png_init_io(png, out);
  png_set_IHDR(png, info, W, H, 8, PNG_COLOR_TYPE_RGB_ALPHA, interlace, 0, 0);
  png_write_info(png, info);
  png_write_image(png, rows);
  png_write_end(png, NULL);
  png_destroy_write_struct(&png, &info);
  assert_int_equal(fclose(out), 0);
}

/* Shrinking by its definition: the mean over the area that a pixel of the result covers. */
static int mean_at(const struct few_image *im, int size, int y, int x, int k) {
  const int s = H < W ? H : W, top = (im->h - s) / 2, left = (im->w - s) / 2;
  int sum = 0;
  for (int v = y * s; v < (y + 1) * s; v++)
    for (int u = x * s; u < (x + 1) * s; u++) /* in parts of 1 / size of a pixel */
      sum += im->at[((top + v / size) * im->w + left + u / size) * im->c + k];
  return (sum + s * s / 2) / (s * s);
}

static void test_mean_over_area(void **state) {
  struct files *f = *state;
  static const int sizes[] = {1, 2, 5, 16, 17, 18, 40};
  write_noise(f, "a.png", PNG_INTERLACE_NONE);
  write_noise(f, "b.png", PNG_INTERLACE_ADAM7);
  for (int i = 0; i < 7; i++)
    for (int c = 1; c <= 3; c += 2)
      for (int b = 0; b < 2; b++) {
        struct few_image whole = read_image(f, "a.png", 0, c),
                         small = read_image(f, b ? "b.png" : "a.png", sizes[i], c);
        for (int j = 0; j < sizes[i] * sizes[i] * c; j++)
          assert_int_equal(small.at[j],
                           mean_at(&whole, sizes[i], j / c / sizes[i], j / c % sizes[i], j % c));
        few__image_free(f->ctx, &whole);
        few__image_free(f->ctx, &small);
      }
}

/* The same of the whole image: padded to a square of the larger side, or stretched. */
static int mean_of_all(const struct few_image *im, const struct few_image_opts *o, int y, int x,
                       int k, int behind) {
  const bool pad = o->fit == FEW_DATA_PAD;
  const int t = pad ? (H > W ? H : W) : H, s = pad ? (H > W ? H : W) : W;
  const int top = (t - H) / 2, left = (s - W) / 2;
  int sum = 0;
  for (int v = y * t; v < (y + 1) * t; v++)
    for (int u = x * s; u < (x + 1) * s; u++) {
      const int p = v / o->size - top, q = u / o->size - left;
      const bool inside = p >= 0 && p < H && q >= 0 && q < W;
      sum += inside ? im->at[(p * im->w + q) * im->c + k] : behind;
    }
  return (sum + s * t / 2) / (s * t);
}

static void test_pad_and_stretch(void **state) {
  struct files *f = *state;
  static const int sizes[] = {1, 2, 5, 16, 24, 25, 40}, rgb[] = {200, 100, 7};
  write_noise(f, "a.png", PNG_INTERLACE_NONE);
  write_noise(f, "b.png", PNG_INTERLACE_ADAM7);
  for (int i = 0; i < 7 * 8; i++) {
    const int c = i & 1 ? 3 : 1, n = sizes[i / 8];
    const struct few_image_opts whole = {
        .c = c, .background = FEW_RGB(200, 100, 7), .max_side = 1000};
    struct few_image_opts o = whole;
    struct few_image all, small;
    o.size = n;
    o.fit = i & 2 ? FEW_DATA_PAD : FEW_DATA_STRETCH;
    assert_ok(f->ctx, few__image_read(f->ctx, &all, files_path(f, "a.png"), &whole));
    assert_ok(f->ctx,
              few__image_read(f->ctx, &small, files_path(f, i & 4 ? "b.png" : "a.png"), &o));
    for (int j = 0; j < n * n * c; j++) {
      const int behind = c == 3 ? rgb[j % 3] : (299 * 200 + 587 * 100 + 114 * 7 + 500) / 1000;
      assert_int_equal(small.at[j], mean_of_all(&all, &o, j / c / n, j / c % n, j % c, behind));
    }
    few__image_free(f->ctx, &all);
    few__image_free(f->ctx, &small);
  }
}

/* A JPEG with an orientation in its Exif data gives the same image as an upright PNG. */
static void test_turned(void **state) {
  struct files *f = *state;
  struct few_image jpeg;
  char *bytes;
  size_t n;
  assert_ok(f->ctx,
            few__file_read(f->ctx, &bytes, &n, FEW_TEST_DIR "/io/data/jpeg/y_444.jpg", 1 << 16));
  for (int o = 1; o <= 8; o++) {
    const uint8_t app1[] = {0xff, 0xe1, 0, 34, 'E', 'x',        'i', 'f', 0, 0,    'M', 'M',
                            0,    42,   0, 0,  0,   8,          0,   1,   1, 0x12, 0,   3,
                            0,    0,    0, 1,  0,   (uint8_t)o, 0,   0,   0, 0,    0,   0};
    char *noted = malloc(n + sizeof app1);
    memcpy(noted, bytes, 2);
    memcpy(noted + 2, app1, sizeof app1);
    memcpy(noted + 2 + sizeof app1, bytes + 2, n - 2);
    files_write(f, "noted.jpg", noted, n + sizeof app1);
    free(noted);
    assert_ok(f->ctx, few__jpeg_read(f->ctx, &jpeg, files_path(f, "noted.jpg"), 3, 100));
    assert_ok(f->ctx, few__png_write(f->ctx, files_path(f, "upright.png"), &jpeg, NULL, 0));
    few__image_free(f->ctx, &jpeg);
    for (int fit = FEW_DATA_CROP; fit <= FEW_DATA_STRETCH; fit++) {
      struct few_image a = read_fit(f, "noted.jpg", SIZE, 3, (few_data_fit)fit),
                       b = read_fit(f, "upright.png", SIZE, 3, (few_data_fit)fit);
      assert_memory_equal(a.at, b.at, SIZE * SIZE * 3);
      few__image_free(f->ctx, &a);
      few__image_free(f->ctx, &b);
    }
  }
  few__free(f->ctx, bytes);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_mean_over_area, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_pad_and_stretch, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_turned, files_setup, files_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
