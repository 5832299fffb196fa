/* A zip archive in place of a folder: the same items, labels and names as the unpacked folder.
 * libzip and Python's zipfile (zip_reference.py) write the archives. */
#include <stdio.h>
#include <zip.h>

#include "grey.h"

#define ZIPS FEW_TEST_DIR "/data/data/zip/"

/* Adds the files below dir/set, in the order of the disk. */
static void add_files(zip_t *z, const char *dir, const char *inside, int method) {
  DIR *d = opendir(dir);
  assert_non_null(d);
  for (struct dirent *e; (e = readdir(d));) {
    char path[700], name[300];
    struct stat s;
    if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
    snprintf(path, sizeof path, "%.400s/%.200s", dir, e->d_name);
    snprintf(name, sizeof name, "%.120s%s%.120s", inside, *inside ? "/" : "", e->d_name);
    assert_int_equal(stat(path, &s), 0);
    if (S_ISDIR(s.st_mode)) {
      add_files(z, path, name, method);
      continue;
    }
    const zip_int64_t i = zip_file_add(z, name, zip_source_file(z, path, 0, -1), 0);
    assert_true(i >= 0);
    assert_int_equal(zip_set_file_compression(z, (zip_uint64_t)i, method, 0), 0);
  }
  closedir(d);
}

static void zip_folder(struct files *f, const char *folder, const char *name, int method) {
  zip_t *z = zip_open(files_path(f, name), ZIP_CREATE | ZIP_TRUNCATE, NULL);
  assert_non_null(z);
  add_files(z, files_path(f, folder), "", method);
  assert_int_equal(zip_close(z), 0);
}

static void unzip(struct files *f, const char *archive, const char *folder) {
  zip_t *z = zip_open(archive, ZIP_RDONLY, NULL);
  assert_non_null(z);
  for (zip_int64_t i = 0; i < zip_get_num_entries(z, 0); i++) {
    char bytes[4096], name[300];
    zip_file_t *in = zip_fopen_index(z, (zip_uint64_t)i, 0);
    const zip_int64_t n = zip_fread(in, bytes, sizeof bytes);
    snprintf(name, sizeof name, "%s/%s", folder, zip_get_name(z, (zip_uint64_t)i, 0));
    zip_fclose(in);
    make_dirs(f, name);
    assert_true(n > 0);
    files_write(f, name, bytes, (size_t)n);
  }
  zip_discard(z);
}

/* Both sets have the same hash of values and labels, and the same classes. */
static void assert_same(struct files *f, const char *a, const char *b,
                        const struct few_data_opts *o) {
  few_data *x = NULL, *y = NULL;
  assert_ok(f->ctx, files_open(f, &x, "folder", a, NULL, o));
  assert_ok(f->ctx, files_open(f, &y, "folder", b, NULL, o));
  assert_int_equal(few_data_hash(x), few_data_hash(y));
  assert_int_equal(few_data_n(x), few_data_n(y));
  assert_int_equal(few_data_skipped(x), few_data_skipped(y));
  assert_int_equal(few_data_n_classes(x), few_data_n_classes(y));
  for (int i = 0; i < few_data_n_classes(x); i++) {
    const char *p = few_data_class_name(x, i), *q = few_data_class_name(y, i);
    assert_true((!p && !q) || (p && q && !strcmp(p, q)));
  }
  few_data_free(x);
  few_data_free(y);
}

static void assert_zipped_same(struct files *f, const char *part, const struct few_data_opts *o) {
  char folder[32], archive[32];
  snprintf(folder, sizeof folder, "set%s", part);
  snprintf(archive, sizeof archive, "set.zip%s", part);
  zip_folder(f, "set", "set.zip", ZIP_CM_DEFLATE);
  assert_same(f, folder, archive, o);
  zip_folder(f, "set", "set.zip", ZIP_CM_STORE);
  assert_same(f, folder, archive, o);
}

/* "a-b" comes before "a/..." in the list of members, and after "a" on the disk. */
static void test_classes(void **state) {
  struct files *f = *state;
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  image(f, "set/a-b/1.png", 1);
  image(f, "set/a/b.png", 2);
  image(f, "set/a/a-1.png", 3);
  image(f, "set/a/a/0.png", 4);
  image(f, "set/a.c/9.png", 5);
  image(f, "set/.hidden/9.png", 6);
  files_write(f, "set/a/x.txt", "x", 1);
  assert_zipped_same(f, "", NULL);
  o.limit = 3;
  assert_zipped_same(f, "", &o);
  o.limit = 0;
  o.on_error = FEW_DATA_SKIP;
  files_write(f, "set/a/a.png", "\x89PNG", 4);
  image(f, "set/beside.png", 7);
  assert_zipped_same(f, "", &o);
  assert_refused(f, "folder", "set.zip", NULL, NULL, FEW_E_FORMAT, "set.zip/a/a.png");
}

static void test_parts(void **state) {
  struct files *f = *state;
  image(f, "set/train/x/1.png", 1);
  image(f, "set/train/y/2.png", 2);
  image(f, "set/test/y/3.png", 3);
  assert_zipped_same(f, "", NULL);
  assert_zipped_same(f, ":test", NULL);
  assert_refused(f, "folder", "set.zip:val", NULL, NULL, FEW_E_UNSUPPORTED, "not val");
  const char *list = "{\"labels\": [[\"x/1.png\", 7], [\"y/2.png\", 4]]}";
  files_write(f, "set/train/dataset.json", list, strlen(list));
  assert_zipped_same(f, "", NULL);
  assert_zipped_same(f, ":test", NULL);
}

static void test_wrapped_and_flat(void **state) {
  struct files *f = *state;
  image(f, "set/only/a/1.png", 1);
  image(f, "set/only/b/2.png", 2);
  assert_zipped_same(f, "", NULL);
  image(f, "flat/2.png", 1);
  image(f, "flat/10.png", 2);
  zip_folder(f, "flat", "flat.zip", ZIP_CM_STORE);
  assert_same(f, "flat", "flat.zip", NULL);
}

static void test_edm(void **state) {
  struct files *f = *state;
  few_data *d = NULL, *bare = NULL;
  assert_ok(f->ctx, few_data_open(&d, f->ctx, "folder:" ZIPS "y_edm.zip", NULL));
  assert_int_equal(few_data_n(d), 10);
  assert_int_equal(few_data_n_classes(d), 5);
  for (int i = 0; i < 10; i++) {
    float x[4];
    assert_ok(f->ctx, few_data_get(x, d, i));
    assert_int_equal(lround((x[0] + 1) * 127.5), 10 * i + 3);
    assert_int_equal(few_data_label(d, i), 7 * i % 5);
  }
  assert_string_equal(few_data_class_name(d, 0), "2"); /* the labels are 2 .. 6 */
  unzip(f, ZIPS "y_edm.zip", "edm");
  assert_ok(f->ctx, files_open(f, &bare, "folder", "edm", NULL, NULL));
  assert_int_equal(few_data_hash(d), few_data_hash(bare));
  few_data_free(bare);
  assert_ok(f->ctx, few_data_open(&bare, f->ctx, ZIPS "y_edm.zip", NULL)); /* by its path only */
  assert_int_equal(few_data_hash(d), few_data_hash(bare));
  few_data_free(bare);
  few_data_free(d);
}

static void test_cache(void **state) {
  struct files *f = *state;
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  image(f, "set/a/1.png", 1);
  image(f, "set/b/2.png", 2);
  zip_folder(f, "set", "set.zip", ZIP_CM_STORE);
  sleep(3); /* files that changed within the resolution of clocks are not cached */
  o.cache = FEW_DATA_CACHE_YES;
  assert_same(f, "set", "set.zip", &o);
  assert_same(f, "set", "set.zip", &o);
  assert_non_null(strstr(f->info, "its images were decoded before"));
}

static void test_hostile(void **state) {
  struct files *f = *state;
  static const char *const cases[][2] = {{"n_absolute", "\"/a.png\" is an absolute path"},
                                         {"n_dots", "has an empty part, \".\" or \"..\""},
                                         {"n_backslash", "has a backslash"},
                                         {"n_deep", "more than 64 folders deep"},
                                         {"n_twice", "\"a.png\" is there twice"},
                                         {"n_file_and_folder", "both a file and a folder"},
                                         {"n_no_images", "has no .png, .jpg or .webp file"},
                                         {"n_bomb", "more than 64 to 1"},
                                         {"n_overlap", "do not fit into the file"},
                                         {"n_cut", "cannot be read as a zip archive"},
                                         {"n_crc", "img00000000.png cannot be read"},
                                         {"n_labels", "dataset.json"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char spec[300];
    few_data *d = NULL;
    snprintf(spec, sizeof spec, "folder:%s%s.zip", ZIPS, cases[i][0]);
    few_status st = few_data_open(&d, f->ctx, spec, NULL);
    if (!st || !strstr(few_error(f->ctx), cases[i][1]) || !strstr(few_error(f->ctx), ".zip"))
      fail_msg("%s: %s", cases[i][0], st ? few_error(f->ctx) : "was read");
    assert_null(d);
  }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, files_setup, files_teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_classes), TEST(test_parts), TEST(test_wrapped_and_flat),
      TEST(test_edm),     TEST(test_cache), TEST(test_hostile),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
