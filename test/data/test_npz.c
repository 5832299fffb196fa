/* Archives of NumPy arrays as sets, and damaged archives. */
#include <zip.h>

#include "files.h"

enum { HEADER = 128, N = 3, ITEM = 4 };
static const uint8_t pixels[N * ITEM] = {0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 255};
static const uint8_t labels[N] = {1, 0, 2};

static size_t make_npy(char out[], const char *shape, const void *data, size_t bytes) {
  memcpy(out, "\x93NUMPY\x01\x00\x76\x00", 10);
  memset(out + 10, ' ', HEADER - 10);
  int n = snprintf(out + 10, HEADER - 10,
                   "{'descr': '|u1', 'fortran_order': False, 'shape': (%s), }", shape);
  out[10 + n] = ' ';
  out[HEADER - 1] = '\n';
  memcpy(out + HEADER, data, bytes);
  return HEADER + bytes;
}

/* Writes an archive with images under one name and labels under another (NULL: no labels). */
static void write_npz(struct files *f, const char *name, const char *values, const char *classes) {
  char array[2][HEADER + N * ITEM];
  const char *const names[] = {values, classes};
  size_t size[] = {make_npy(array[0], "3, 2, 2", pixels, sizeof pixels),
                   make_npy(array[1], "3,", labels, sizeof labels)};
  zip_t *z = zip_open(files_path(f, name), ZIP_CREATE | ZIP_TRUNCATE, NULL);
  assert_non_null(z);
  for (int i = 0; i < 2; i++) {
    if (!names[i]) continue;
    zip_source_t *s = zip_source_buffer(z, array[i], size[i], 0);
    assert_non_null(s);
    assert_true(zip_file_add(z, names[i], s, 0) >= 0);
  }
  assert_int_equal(zip_close(z), 0);
}

static void assert_set(struct files *f, const char *where, bool labelled) {
  few_data *d = NULL;
  char spec[256];
  float x[ITEM];
  snprintf(spec, sizeof spec, "npz:%s", where);
  assert_ok(f->ctx, few_data_open(&d, f->ctx, spec, NULL));
  assert_int_equal(few_data_n(d), N);
  assert_int_equal(few_data_w(d), 2);
  assert_int_equal(few_data_n_classes(d), labelled ? 3 : 0);
  assert_int_equal(few_data_label(d, 2), labelled ? 2 : -1);
  assert_int_equal(few_data_get(x, d, 2), FEW_OK);
  assert_close(x[3], 1, 1e-7);
  few_data_free(d);
}

static void test_members(void **state) {
  struct files *f = *state;
  char where[256];
  write_npz(f, "both.npz", "arr_0.npy", "arr_1.npy");
  assert_set(f, files_path(f, "both.npz"), true);
  snprintf(where, sizeof where, "%s,arr_0", files_path(f, "both.npz"));
  assert_set(f, where, false);
  write_npz(f, "one.npz", "images.npy", NULL);
  assert_set(f, files_path(f, "one.npz"), false);
  write_npz(f, "named.npz", "x.npy", "y.npy");
  snprintf(where, sizeof where, "%s,x,y", files_path(f, "named.npz"));
  assert_set(f, where, true);
  assert_refused(f, "npz", "named.npz", NULL, NULL, FEW_E_INVALID, "it contains x.npy, y.npy");
}

static void test_damaged(void **state) {
  struct files *f = *state;
  char bytes[1024], copy[1024];
  write_npz(f, "good.npz", "arr_0.npy", NULL);
  FILE *in = fopen(files_path(f, "good.npz"), "rb");
  assert_non_null(in);
  size_t n = fread(bytes, 1, sizeof bytes, in);
  fclose(in);
  assert_true(n > 0 && n < sizeof bytes);
  for (size_t cut = 0; cut < n;
       cut++) { /* the directory is at the end, so no truncated file can be read */
    files_write(f, "cut.npz", bytes, cut);
    assert_refused(f, "npz", "cut.npz", NULL, NULL, FEW_E_FORMAT, "cut.npz");
  }
  for (size_t k = 0; k < 8 * n; k++) { /* a changed bit must not give a crash or other images */
    few_data *d = NULL;
    float x[ITEM];
    memcpy(copy, bytes, n);
    copy[k / 8] ^= (char)(1 << k % 8);
    files_write(f, "flip.npz", copy, n);
    if (files_open(f, &d, "npz", "flip.npz", NULL, NULL)) continue;
    assert_int_equal(few_data_get(x, d, 0), FEW_OK);
    for (int i = 0; i < ITEM; i++) assert_close(x[i], pixels[i] / 127.5 - 1, 1e-6);
    few_data_free(d);
  }
  assert_refused(f, "npz", "missing.npz", NULL, NULL, FEW_E_IO, "missing.npz");
}

static void test_no_crc_no_images(void **state) {
  struct files *f = *state;
  char bytes[1024];
  write_npz(f, "good.npz", "arr_0.npy", NULL);
  FILE *in = fopen(files_path(f, "good.npz"), "rb");
  assert_non_null(in);
  size_t n = fread(bytes, 1, sizeof bytes, in);
  fclose(in);
  /* a byte of the compressed stream */
  bytes[30 + strlen("arr_0.npy") + 40] ^= 4;
  files_write(f, "crc.npz", bytes, n);
  assert_refused(f, "npz", "crc.npz", NULL, NULL, FEW_E_FORMAT, "arr_0.npy cannot be read");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_members, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_damaged, files_setup, files_teardown),
      cmocka_unit_test_setup_teardown(test_no_crc_no_images, files_setup, files_teardown)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
