/* Files that unpack to far more than their size. Reading them needs no more memory than the result
 * takes; or they are refused before memory is allocated. */
#include <stdio.h>

#include <jpeglib.h>
#include <png.h>
#include <zip.h>
#include <zlib.h>

#include "ceiling.h"
#include "files.h"

enum { MIB = 1 << 20 };

/* A child process with little memory opens a set, and checks status and sentence. */
struct ask {
  struct files *f;
  const char *reader, *name;
  int64_t size;
  few_status want;
  const char *part;
};

static void open_one(void *user) {
  const struct ask *a = user;
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  few_data *d = NULL;
  o.size = a->size;
  few_status st = files_open(a->f, &d, a->reader, a->name, NULL, &o);
  const char *said = st ? few_error(a->f->ctx) : "";
  if (st != a->want || (st && !strstr(said, a->part))) {
    fprintf(stderr, "%s: %s: %s\n", a->name, few_status_name(st), said);
    _exit(1);
  }
  few_data_free(d);
}

/* Writes a black image of one bit per pixel, which deflate packs to 1/1032. */
static void write_black(struct files *f, const char *name, int side, int interlace) {
  uint8_t row[4096] = {0};
  FILE *out = fopen(files_path(f, name), "wb");
  assert_non_null(out);
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
  png_infop info = png_create_info_struct(png);
  png_init_io(png, out);
  png_set_IHDR(png, info, (png_uint_32)side, (png_uint_32)side, 1, PNG_COLOR_TYPE_GRAY, interlace,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  const int passes = png_set_interlace_handling(png);
  for (int y = 0; y < passes * side; y++) png_write_row(png, row);
  png_write_end(png, NULL);
  png_destroy_write_struct(&png, &info);
  assert_int_equal(fclose(out), 0);
}

static void test_large_images(void **state) {
  struct files *f = *state;
  write_black(f, "plain.png", 5000, PNG_INTERLACE_NONE);
  write_black(f, "passes.png", 5000, PNG_INTERLACE_ADAM7);
  struct ask asks[] = {
      {f, "folder", "plain.png", 16, FEW_OK, ""},
      {f, "folder", "passes.png", 16, FEW_OK, ""},
      {f, "folder", "plain.png", 0, FEW_E_FORMAT, "give size = N"},
      {f, "folder", "passes.png", 0, FEW_E_FORMAT, "give size = N"},
  };
  for (int i = 0; i < 4; i++) under_ceiling(4 * MIB, open_one, &asks[i]);
}

static void add_text(png_structp png, const uint8_t *packed, size_t n) {
  png_write_chunk(png, (png_const_bytep) "zTXt", packed, n);
}

/* 100 texts of 1 MB, each packed into 1 KB. */
static void test_texts_of_a_png(void **state) {
  struct files *f = *state;
  uint8_t packed[4096] = {'k', 0, 0}, pixel[3] = {9, 9, 9}, *zeros = calloc(1, MIB);
  uLongf n = sizeof packed - 3;
  assert_non_null(zeros);
  assert_int_equal(compress2(packed + 3, &n, zeros, MIB, 9), Z_OK);
  free(zeros);
  FILE *out = fopen(files_path(f, "texts.png"), "wb");
  assert_non_null(out);
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
  png_infop info = png_create_info_struct(png);
  png_init_io(png, out);
  png_set_IHDR(png, info, 1, 1, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, 0, 0);
  png_write_info(png, info);
  for (int i = 0; i < 100; i++) add_text(png, packed, n + 3);
  png_write_row(png, pixel);
  for (int i = 0; i < 100; i++) add_text(png, packed, n + 3);
  png_write_end(png, NULL);
  png_destroy_write_struct(&png, &info);
  assert_int_equal(fclose(out), 0);
  under_ceiling(4 * MIB, open_one, &(struct ask){f, "folder", "texts.png", 0, FEW_OK, ""});
}

/* Writes a progressive JPEG of 16 x 16 pixels whose header claims side x side. `grow_to` extends
 * the file with zeros to that many bytes. */
static void write_jpeg(struct files *f, const char *name, int side, long grow_to) {
  struct jpeg_compress_struct j;
  struct jpeg_error_mgr errors;
  JSAMPLE row[16 * 3] = {0};
  FILE *out = fopen(files_path(f, name), "w+b");
  assert_non_null(out);
  j.err = jpeg_std_error(&errors);
  jpeg_create_compress(&j);
  jpeg_stdio_dest(&j, out);
  j.image_width = j.image_height = 16;
  j.input_components = 3;
  j.in_color_space = JCS_RGB;
  jpeg_set_defaults(&j);
  jpeg_simple_progression(&j);
  jpeg_start_compress(&j, TRUE);
  for (int y = 0; y < 16; y++) jpeg_write_scanlines(&j, &(JSAMPROW){row}, 1);
  jpeg_finish_compress(&j);
  jpeg_destroy_compress(&j);
  uint8_t head[1024],
      sides[4] = {(uint8_t)(side >> 8), (uint8_t)side, (uint8_t)(side >> 8), (uint8_t)side};
  rewind(out);
  long n = (long)fread(head, 1, sizeof head, out), at = 0;
  while (at + 1 < n && !(head[at] == 0xff && head[at + 1] == 0xc2)) at++; /* the frame's marker */
  fseek(out, at + 5, SEEK_SET);
  assert_int_equal(fwrite(sides, 1, 4, out), 4);
  if (grow_to) assert_int_equal(ftruncate(fileno(out), grow_to), 0);
  assert_int_equal(fclose(out), 0);
}

static void test_progressive_jpeg(void **state) {
  struct files *f = *state;
  write_jpeg(f, "small.jpg", 16, 0);
  write_jpeg(f, "short.jpg", 16384, 0);
  write_jpeg(f, "long.jpg", 32768, 64l * MIB);
  struct ask asks[] = {
      {f, "folder", "small.jpg", 8, FEW_OK, ""},
      {f, "folder", "short.jpg", 8, FEW_E_FORMAT, "ends too early"},
      {f, "folder", "long.jpg", 8, FEW_E_FORMAT, "baseline"},
  };
  for (int i = 0; i < 3; i++) under_ceiling(4 * MIB, open_one, &asks[i]);
}

/* A sparse file of gigabytes with the name of an image. */
static void test_holes(void **state) {
  struct files *f = *state;
  files_write(f, "hole.png", "\x89PNG\r\n\x1a\n", 8);
  assert_int_equal(truncate(files_path(f, "hole.png"), 3l << 30), 0);
  files_write(f, "hole.jpg", "\xff\xd8\xff", 3);
  assert_int_equal(truncate(files_path(f, "hole.jpg"), 3l << 30), 0);
  struct ask asks[] = {{f, "folder", "hole.png", 8, FEW_E_FORMAT, "hole.png"},
                       {f, "folder", "hole.jpg", 8, FEW_E_FORMAT, "hole.jpg"}};
  for (int i = 0; i < 2; i++) under_ceiling(4 * MIB, open_one, &asks[i]);
}

/* ---- packed sets ---- */

enum { BOMB = 40 * MIB };

/* An IDX file with a correct header and black images. */
static void test_packed_idx(void **state) {
  struct files *f = *state;
  static uint8_t zeros[1 << 16];
  const uint32_t n = BOMB / 1024;
  uint8_t header[16] = {0,
                        0,
                        8,
                        3,
                        (uint8_t)(n >> 24),
                        (uint8_t)(n >> 16),
                        (uint8_t)(n >> 8),
                        (uint8_t)n,
                        0,
                        0,
                        0,
                        32,
                        0,
                        0,
                        0,
                        32};
  gzFile out = gzopen(files_path(f, "black.gz"), "wb9");
  assert_non_null(out);
  assert_int_equal(gzwrite(out, header, 16), 16);
  for (int i = 0; i < BOMB >> 16; i++) assert_int_equal(gzwrite(out, zeros, 1 << 16), 1 << 16);
  assert_int_equal(gzclose(out), Z_OK);
  under_ceiling(32 * MIB, open_one,
                &(struct ask){f, "idx", "black.gz", 0, FEW_E_FORMAT, "gunzip first"});
}

static void test_packed_npz(void **state) {
  struct files *f = *state;
  uint8_t *zeros = calloc(BOMB, 1);
  zip_t *zip = zip_open(files_path(f, "black.npz"), ZIP_CREATE, NULL);
  assert_true(zeros && zip);
  zip_source_t *s = zip_source_buffer(zip, zeros, BOMB, 0);
  assert_true(s && zip_file_add(zip, "a.npy", s, 0) >= 0);
  assert_int_equal(zip_close(zip), 0);
  free(zeros);
  under_ceiling(32 * MIB, open_one,
                &(struct ask){f, "npz", "black.npz", 0, FEW_E_FORMAT, "unpack it first"});
}

/* Sparse files with the name of a set. */
static void test_sparse_sets(void **state) {
  struct files *f = *state;
  files_write(f, "hole.npy", "\x93NUMPY\1\0", 8);
  files_write(f, "hole.idx", "\0\0\10\3\0\0\0\1\0\0\0\2\0\0\0\2", 16);
  assert_int_equal(truncate(files_path(f, "hole.npy"), 3l << 30), 0);
  assert_int_equal(truncate(files_path(f, "hole.idx"), 3l << 30), 0);
  struct ask asks[] = {{f, "npy", "hole.npy", 0, FEW_E_FORMAT, "hole.npy"},
                       {f, "idx", "hole.idx", 0, FEW_E_FORMAT, "after its 1 items"}};
  for (int i = 0; i < 2; i++) under_ceiling(4 * MIB, open_one, &asks[i]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_large_images, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_texts_of_a_png, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_progressive_jpeg, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_holes, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_packed_idx, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_packed_npz, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_sparse_sets, files_setup, files_teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
