/* Folders of images: classes, order, colours, sizes, and other files in the folders. libpng and
 * libjpeg write the PNG and JPEG files, not the code under test. */
#include <stdio.h>

#include <jpeglib.h>
#include <png.h>

#include "files.h"

static void make_dir(struct files *f, const char *name) {
  assert_int_equal(mkdir(files_path(f, name), 0700), 0);
}

static void write_png(struct files *f, const char *name, uint32_t format, int w, int h,
                      const uint8_t *bytes) {
  png_image image;
  memset(&image, 0, sizeof image);
  image.version = PNG_IMAGE_VERSION;
  image.width = (uint32_t)w;
  image.height = (uint32_t)h;
  image.format = format;
  if (!png_image_write_to_file(&image, files_path(f, name), 0, bytes, 0, NULL))
    fail_msg("%s: %s", name, image.message);
}

/* An image in which all bytes are equal. */
static void write_flat(struct files *f, const char *name, uint32_t format, int w, int h,
                       uint8_t v) {
  uint8_t bytes[16 * 16 * 4];
  memset(bytes, v, sizeof bytes);
  assert_true(w * h <= 256);
  write_png(f, name, format, w, h, bytes);
}

/* An image of one colour, at the best quality. Rounding to YCbCr and back changes a value by less
 * than 1.9 steps, so every byte is read back within one. */
static void write_jpeg(struct files *f, const char *name, int w, int h, uint8_t colour[3]) {
  struct jpeg_compress_struct j;
  struct jpeg_error_mgr errors;
  JSAMPLE row[16 * 3];
  assert_true(w <= 16);
  for (int i = 0; i < 3 * w; i++) row[i] = colour[i % 3];
  FILE *out = fopen(files_path(f, name), "wb");
  assert_non_null(out);
  j.err = jpeg_std_error(&errors);
  jpeg_create_compress(&j);
  jpeg_stdio_dest(&j, out);
  j.image_width = (JDIMENSION)w;
  j.image_height = (JDIMENSION)h;
  j.input_components = 3;
  j.in_color_space = JCS_RGB;
  jpeg_set_defaults(&j);
  jpeg_set_quality(&j, 100, TRUE);
  jpeg_start_compress(&j, TRUE);
  for (int y = 0; y < h; y++) jpeg_write_scanlines(&j, &(JSAMPROW){row}, 1);
  jpeg_finish_compress(&j);
  jpeg_destroy_compress(&j);
  assert_int_equal(fclose(out), 0);
}

static uint8_t byte_at(struct files *f, const few_data *d, int64_t item, int i) {
  float x[16 * 16 * 3];
  assert_true(few_data_item_size(d) <= 16 * 16 * 3);
  assert_ok(f->ctx, few_data_get(x, d, item));
  return (uint8_t)lround((x[i] + 1) * 127.5);
}

static void test_classes_order_and_bystanders(void **state) {
  struct files *f = *state;
  make_dir(f, "set");
  make_dir(f, "set/cat");
  make_dir(f, "set/cat/deep");
  make_dir(f, "set/bird");
  make_dir(f, "set/empty");
  make_dir(f, "set/.hidden");
  write_flat(f, "set/cat/b.png", PNG_FORMAT_GRAY, 4, 3, 30);
  write_flat(f, "set/cat/a.PNG", PNG_FORMAT_GRAY, 4, 3, 20);
  write_flat(f, "set/cat/deep/0.png", PNG_FORMAT_GRAY, 4, 3, 40);
  write_flat(f, "set/bird/z.png", PNG_FORMAT_GRAY, 4, 3, 10);
  write_flat(f, "set/.hidden/x.png", PNG_FORMAT_GRAY, 4, 3, 99);
  files_write(f, "set/README", "text", 4);
  files_write(f, "set/cat/notes.txt", "text", 4);
  files_write(f, "set/empty/.png", "hidden", 6);
  assert_int_equal(mkfifo(files_path(f, "set/cat/pipe.png"), 0600), 0);
  few_data *d = NULL;
  assert_ok(f->ctx, files_open(f, &d, "folder", "set", NULL, NULL));
  assert_int_equal(few_data_n(d), 4);
  assert_int_equal(few_data_h(d), 3);
  assert_int_equal(few_data_w(d), 4);
  assert_int_equal(few_data_c(d), 1);
  assert_int_equal(few_data_n_classes(d), 2);
  assert_string_equal(few_data_class_name(d, 0), "bird");
  assert_string_equal(few_data_class_name(d, 1), "cat");
  for (int i = 0; i < 4; i++) {
    assert_int_equal(byte_at(f, d, i, 0), 10 + 10 * i);
    assert_int_equal(few_data_label(d, i), i > 0);
  }
  few_data_free(d);
}

static void test_flat_folder_has_no_labels(void **state) {
  struct files *f = *state;
  make_dir(f, "set");
  write_flat(f, "set/1.png", PNG_FORMAT_RGB, 2, 2, 1);
  write_flat(f, "set/2.png", PNG_FORMAT_RGB, 2, 2, 2);
  few_data *d = NULL;
  assert_ok(f->ctx, files_open(f, &d, "folder", "set", NULL, NULL));
  assert_int_equal(few_data_n(d), 2);
  assert_int_equal(few_data_c(d), 1);
  assert_int_equal(few_data_n_classes(d), 0);
  assert_int_equal(few_data_label(d, 1), -1);
  few_data_free(d);
}

static void test_images_beside_class_folders(void **state) {
  struct files *f = *state;
  struct few_data_opts skip = FEW_DATA_OPTS_INIT;
  skip.on_error = FEW_DATA_SKIP;
  make_dir(f, "set");
  make_dir(f, "set/a");
  write_flat(f, "set/a/1.png", PNG_FORMAT_GRAY, 2, 2, 1);
  write_flat(f, "set/2.png", PNG_FORMAT_GRAY, 2, 2, 2);
  assert_refused(f, "folder", "set", NULL, NULL, FEW_E_FORMAT, "2.png is outside");
  few_data *d = NULL;
  assert_ok(f->ctx, files_open(f, &d, "folder", "set", NULL, &skip));
  assert_int_equal(few_data_n(d), 1);
  assert_int_equal(few_data_label(d, 0), 0);
  few_data_free(d);
}

static void test_train_and_test_folders(void **state) {
  struct files *f = *state;
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  make_dir(f, "set");
  make_dir(f, "set/train");
  make_dir(f, "set/test");
  write_flat(f, "set/train/1.png", PNG_FORMAT_GRAY, 2, 2, 11);
  write_flat(f, "set/test/1.png", PNG_FORMAT_GRAY, 2, 2, 22);
  for (int split = 0; split < 2; split++) {
    few_data *d = NULL;
    o.split = split ? FEW_DATA_TEST : FEW_DATA_TRAIN;
    assert_ok(f->ctx, files_open(f, &d, "folder", "set", NULL, &o));
    assert_int_equal(few_data_n(d), 1);
    assert_int_equal(byte_at(f, d, 0, 0), split ? 22 : 11);
    few_data_free(d);
  }
  assert_refused(f, "folder", "set/test", NULL, &o, FEW_E_UNSUPPORTED, "no test split");
}

static void test_colours_and_transparency(void **state) {
  struct files *f = *state;
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  make_dir(f, "set");
  /* Opaque red, half green, transparent, over white: 255 0 0; 127 255 127; 255 255 255. */
  static const uint8_t rgba[] = {255, 0, 0, 255, 0, 255, 0, 128, 9, 9, 9, 0};
  static const uint8_t rgb[] = {255, 0, 0, 127, 255, 127, 255, 255, 255};
  static const uint8_t luma[] = {76, 202, 255};
  write_png(f, "set/a.png", PNG_FORMAT_RGBA, 3, 1, rgba);
  write_png(f, "set/b.png", PNG_FORMAT_GRAY, 3, 1, luma);
  few_data *d = NULL;
  assert_ok(f->ctx, files_open(f, &d, "folder", "set", NULL, &o));
  assert_int_equal(few_data_c(d), 3);
  for (int i = 0; i < 9; i++) {
    assert_int_equal(byte_at(f, d, 0, i), rgb[i]);
    assert_int_equal(byte_at(f, d, 1, i), luma[i / 3]);
  }
  few_data_free(d);
  o.channels = 1;
  o.background = 255;
  assert_ok(f->ctx, files_open(f, &d, "folder", "set", NULL, &o));
  assert_int_equal(few_data_c(d), 1);
  for (int i = 0; i < 3; i++) assert_int_equal(byte_at(f, d, 0, i), luma[i]);
  few_data_free(d);
  o.background = 0;
  assert_ok(f->ctx, files_open(f, &d, "folder", "set", NULL, &o));
  assert_int_equal(byte_at(f, d, 0, 2), 0);
  few_data_free(d);
  o.channels = 3;
  o.background = FEW_RGB(1, 2, 3);
  assert_ok(f->ctx, files_open(f, &d, "folder", "set", NULL, &o));
  for (int k = 0; k < 3; k++) assert_int_equal(byte_at(f, d, 0, 6 + k), 1 + k);
  few_data_free(d);
  o.background = 256;
  assert_refused(f, "folder", "set", NULL, &o, FEW_E_INVALID, "background is 256");
  o.background = 0;
  o.fit = FEW_DATA_PAD;
  assert_refused(f, "folder", "set", NULL, &o, FEW_E_INVALID, "give size too");
}

static void test_grey_only_if_all_are(void **state) {
  struct files *f = *state;
  make_dir(f, "set");
  write_flat(f, "set/1.png", PNG_FORMAT_GRAY, 2, 2, 5);
  write_flat(f, "set/2.png", PNG_FORMAT_RGB, 2, 2, 7);
  few_data *d = NULL;
  assert_ok(f->ctx, files_open(f, &d, "folder", "set", NULL, NULL));
  assert_int_equal(few_data_c(d), 1);
  for (int i = 0; i < 8; i++) assert_int_equal(byte_at(f, d, i / 4, i % 4), i < 4 ? 5 : 7);
  few_data_free(d);
  static const uint8_t colour[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  write_png(f, "set/3.png", PNG_FORMAT_RGB, 2, 2, colour);
  assert_ok(f->ctx, files_open(f, &d, "folder", "set", NULL, NULL));
  assert_int_equal(few_data_c(d), 3);
  assert_int_equal(byte_at(f, d, 2, 11), 1);
  few_data_free(d);
}

/* The content of a file decides its format, not its name; a file without the name of an image is
 * skipped. */
static void test_names_that_mislead(void **state) {
  struct files *f = *state;
  make_dir(f, "set");
  write_jpeg(f, "set/1.png", 4, 4, (uint8_t[]){200, 200, 200});
  write_flat(f, "set/2.JPEG", PNG_FORMAT_GRAY, 4, 4, 100);
  write_flat(f, "set/3.jfif", PNG_FORMAT_GRAY, 4, 4, 50);
  write_flat(f, "set/4.dat", PNG_FORMAT_GRAY, 4, 4, 25);
  few_data *d = NULL;
  assert_ok(f->ctx, files_open(f, &d, "folder", "set", NULL, NULL));
  assert_int_equal(few_data_n(d), 3);
  assert_close(byte_at(f, d, 0, 0), 200, 1);
  assert_int_equal(byte_at(f, d, 1, 0), 100);
  assert_int_equal(byte_at(f, d, 2, 0), 50);
  few_data_free(d);
  files_write(f, "set/5.png", "GIF89a..........", 16);
  assert_refused(f, "folder", "set", NULL, NULL, FEW_E_FORMAT, "contains GIF: convert it");
}

/* Images in other formats and files that are not images are counted separately. The first of each
 * kind is named. */
static void test_skipped(void **state) {
  struct files *f = *state;
  few_data *d = NULL;
  make_dir(f, "set");
  write_flat(f, "set/1.png", PNG_FORMAT_GRAY, 2, 2, 5);
  files_write(f, "set/2.gif", "GIF89a", 6);
  assert_ok(f->ctx, files_open(f, &d, "folder", "set", NULL, NULL));
  few_data_free(d);
  assert_int_equal(f->warnings, 1);
  assert_non_null(strstr(f->warning, "2.gif: few reads only PNG, JPEG and WebP"));
  assert_null(strstr(f->info, "skipped"));
  files_write(f, "set/3.bmp", "RIFF", 4);
  files_write(f, "set/4.txt", "text", 4);
  files_write(f, "set/5.tiff", "II*", 3);
  assert_ok(f->ctx, files_open(f, &d, "folder", "set", NULL, NULL));
  few_data_free(d);
  assert_int_equal(f->warnings, 1);
  assert_null(strstr(f->info, "3.bmp"));
  assert_non_null(strstr(f->info, "4.txt is not an image: skipped"));
  assert_non_null(strstr(f->info, "set: 3 images that are neither PNG, JPEG nor WebP skipped"));
  assert_null(strstr(f->info, "files that are not images"));
  files_write(f, "set/6.txt", "text", 4);
  assert_ok(f->ctx, files_open(f, &d, "folder", "set", NULL, NULL));
  few_data_free(d);
  assert_non_null(strstr(f->info, "set: 2 files that are not images skipped"));
}

static void test_jpeg_beside_png(void **state) {
  struct files *f = *state;
  uint8_t colour[3] = {200, 100, 50};
  make_dir(f, "set");
  write_flat(f, "set/1.png", PNG_FORMAT_RGB, 8, 8, 9);
  write_jpeg(f, "set/2.jpg", 8, 8, colour);
  write_jpeg(f, "set/3.JPEG", 8, 8, colour);
  few_data *d = NULL;
  assert_ok(f->ctx, files_open(f, &d, "folder", "set", NULL, NULL));
  assert_int_equal(few_data_n(d), 3);
  assert_int_equal(few_data_c(d), 3);
  for (int i = 0; i < 3 * 64; i++)
    for (int k = 1; k < 3; k++)
      assert_in_range(byte_at(f, d, k, i), colour[i % 3] - 1, colour[i % 3] + 1);
  few_data_free(d);
}

/* A WebP has the pixels that Pillow decodes from it (test/io/webp_reference.py). */
static void test_webp_beside_png(void **state) {
  struct files *f = *state;
  static const struct {
    const char *from, *name;
  } copies[] = {{"webp/y_lossless.webp", "set/a.webp"}, {"webp_pixels/lossless.png", "set/b.png"}};
  few_data *d = NULL;
  make_dir(f, "set");
  for (int i = 0; i < 2; i++) {
    char bytes[4096], path[256];
    snprintf(path, sizeof path, "%s/io/data/%s", FEW_TEST_DIR, copies[i].from);
    FILE *in = fopen(path, "rb");
    assert_non_null(in);
    const size_t n = fread(bytes, 1, sizeof bytes, in);
    fclose(in);
    files_write(f, copies[i].name, bytes, n);
  }
  assert_ok(f->ctx, files_open(f, &d, "folder", "set", NULL, NULL));
  assert_true(few_data_n(d) == 2 && few_data_w(d) == 23 && few_data_h(d) == 17);
  float a[23 * 17 * 3], b[23 * 17 * 3];
  assert_ok(f->ctx, few_data_get(a, d, 0));
  assert_ok(f->ctx, few_data_get(b, d, 1));
  assert_memory_equal(a, b, sizeof a);
  few_data_free(d);
}

static void test_crop_and_area(void **state) {
  struct files *f = *state;
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  make_dir(f, "set");
  /* 5 x 3: the central square is columns 1..3. To 2 x 2, weights 2/3 and 1/3 each way. */
  static const uint8_t p[] = {9, 0, 90, 180, 9, 9, 45, 0, 90, 9, 9, 30, 60, 240, 9};
  write_png(f, "set/1.png", PNG_FORMAT_GRAY, 5, 3, p);
  write_flat(f, "set/2.png", PNG_FORMAT_GRAY, 1, 1, 77);
  write_flat(f, "set/3.png", PNG_FORMAT_GRAY, 16, 16, 78);
  assert_refused(f, "folder", "set", NULL, NULL, FEW_E_FORMAT, "size = N");
  o.size = 2;
  few_data *d = NULL;
  assert_ok(f->ctx, files_open(f, &d, "folder", "set", NULL, &o));
  assert_int_equal(few_data_h(d), 2);
  assert_int_equal(few_data_w(d), 2);
  const double want[] = {(4 * 0 + 2 * 90 + 2 * 45 + 0) / 9.0, (2 * 90 + 4 * 180 + 0 + 2 * 90) / 9.0,
                         (2 * 45 + 0 + 4 * 30 + 2 * 60) / 9.0,
                         (0 + 2 * 90 + 2 * 60 + 4 * 240) / 9.0};
  for (int i = 0; i < 4; i++) {
    assert_int_equal(byte_at(f, d, 0, i), (int)floor(want[i] + 0.5));
    assert_int_equal(byte_at(f, d, 1, i), 77);
    assert_int_equal(byte_at(f, d, 2, i), 78);
  }
  few_data_free(d);
}

static void test_mixed_sizes_name_both(void **state) {
  struct files *f = *state;
  struct few_data_opts skip = FEW_DATA_OPTS_INIT;
  skip.on_error = FEW_DATA_SKIP;
  make_dir(f, "set");
  write_flat(f, "set/first.png", PNG_FORMAT_GRAY, 2, 2, 1);
  write_flat(f, "set/second.png", PNG_FORMAT_GRAY, 3, 2, 2);
  assert_refused(f, "folder", "set", NULL, NULL, FEW_E_FORMAT, "second.png is 3x2");
  assert_non_null(strstr(few_error(f->ctx), "first.png is 2x2"));
  few_data *d = NULL;
  assert_ok(f->ctx, files_open(f, &d, "folder", "set", NULL, &skip));
  assert_int_equal(few_data_n(d), 1);
  assert_int_equal(few_data_skipped(d), 1);
  few_data_free(d);
}

static void test_broken_images(void **state) {
  struct files *f = *state;
  struct few_data_opts skip = FEW_DATA_OPTS_INIT;
  skip.on_error = FEW_DATA_SKIP;
  make_dir(f, "set");
  write_flat(f, "set/c.png", PNG_FORMAT_GRAY, 2, 2, 1);
  char bytes[512];
  FILE *in = fopen(files_path(f, "set/c.png"), "rb");
  assert_non_null(in);
  size_t n = fread(bytes, 1, sizeof bytes, in);
  fclose(in);
  for (size_t cut = 0; cut + 12 < n; cut++) { /* the last chunk, IEND, is empty */
    files_write(f, "set/a.png", bytes, cut);
    assert_refused(f, "folder", "set", NULL, NULL, FEW_E_FORMAT, "a.png");
    few_data *d = NULL;
    assert_ok(f->ctx, files_open(f, &d, "folder", "set", NULL, &skip));
    assert_int_equal(few_data_n(d), 1);
    assert_int_equal(few_data_skipped(d), 1);
    assert_true(f->warnings > 0);
    few_data_free(d);
  }
  assert_int_equal(symlink("/nowhere/at/all", files_path(f, "set/b.png")), 0);
  files_write(f, "set/d.jpg", "no image", 8);
  few_data *d = NULL;
  assert_ok(f->ctx, files_open(f, &d, "folder", "set", NULL, &skip));
  assert_int_equal(few_data_n(d), 1);
  assert_int_equal(few_data_skipped(d), 3);
  few_data_free(d);
  unlink(files_path(f, "set/c.png"));
  assert_refused(f, "folder", "set", NULL, &skip, FEW_E_FORMAT, "all are broken");
}

static void test_links_that_loop(void **state) {
  struct files *f = *state;
  make_dir(f, "set");
  make_dir(f, "set/a");
  write_flat(f, "set/a/1.png", PNG_FORMAT_GRAY, 2, 2, 1);
  assert_int_equal(symlink("..", files_path(f, "set/a/up")), 0);
  assert_int_equal(symlink("a", files_path(f, "set/b")), 0);
  assert_int_equal(symlink("self", files_path(f, "set/self")), 0);
  few_data *d = NULL;
  assert_ok(f->ctx, files_open(f, &d, "folder", "set", NULL, NULL));
  assert_int_equal(few_data_n(d), 1);
  assert_int_equal(few_data_n_classes(d), 1);
  assert_int_equal(f->warnings, 3); /* two links, and the class that one of them would be */
  few_data_free(d);
}

static void test_no_images(void **state) {
  struct files *f = *state;
  make_dir(f, "set");
  assert_refused(f, "folder", "absent", NULL, NULL, FEW_E_IO,
                 "is neither a folder, a zip archive nor an image");
  assert_refused(f, "folder", "set", NULL, NULL, FEW_E_FORMAT, "no .png, .jpg or .webp");
  make_dir(f, "set/a");
  files_write(f, "set/a/x.txt", "x", 1);
  assert_refused(f, "folder", "set", NULL, NULL, FEW_E_FORMAT, "no .png, .jpg or .webp");
  files_write(f, "file", "x", 1);
  assert_refused(f, "folder", "file", NULL, NULL, FEW_E_IO,
                 "is neither a folder, a zip archive nor an image");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, files_setup, files_teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_classes_order_and_bystanders),
      TEST(test_flat_folder_has_no_labels),
      TEST(test_images_beside_class_folders),
      TEST(test_train_and_test_folders),
      TEST(test_colours_and_transparency),
      TEST(test_grey_only_if_all_are),
      TEST(test_jpeg_beside_png),
      TEST(test_names_that_mislead),
      TEST(test_skipped),
      TEST(test_webp_beside_png),
      TEST(test_crop_and_area),
      TEST(test_mixed_sizes_name_both),
      TEST(test_broken_images),
      TEST(test_links_that_loop),
      TEST(test_no_images),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
