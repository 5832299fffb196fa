/* A folder is written all or nothing: after an error the place is as it was, with no temporary
 * folder left. */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/file.h"
#include "testing.h"

static char base[32];

static char *at(const char *name) { /* one of four names at a time */
  static char paths[4][400];
  static int next;
  char *path = paths[next++ % 4];
  snprintf(path, 400, "%s/%s", base, name);
  return path;
}

static int count(few_ctx *ctx, const char *dir) {
  struct few_names names;
  assert_ok(ctx, few__list_dir(ctx, &names, dir));
  const int n = names.n;
  few__names_free(ctx, &names);
  return n;
}

/* Writes a/x and y into the folder `dir`. */
static few_status write_two(few_ctx *ctx, const char *dir, few_status end) {
  struct few_folder f;
  char path[600];
  few_status st = few__folder_open(ctx, &f, dir);
  if (!st) {
    snprintf(path, sizeof path, "%s/a", f.temp);
    assert_ok(ctx, few__mkdirs(ctx, path));
    snprintf(path, sizeof path, "%s/a/x", f.temp);
    assert_ok(ctx, few__file_write(ctx, path, "1", 1));
    snprintf(path, sizeof path, "%s/y", f.temp);
    assert_ok(ctx, few__file_write(ctx, path, "2", 1));
    st = end;
  }
  return few__folder_end(&f, st);
}

static void expect_two(few_ctx *ctx, const char *name) {
  char path[64];
  assert_int_equal(count(ctx, at(name)), 2);
  snprintf(path, sizeof path, "%s/a/x", name);
  assert_true(few__path_is_file(at(path)));
  snprintf(path, sizeof path, "%s/y", name);
  assert_true(few__path_is_file(at(path)));
}

static void test_new(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  assert_int_equal(write_two(ctx, at("new"), FEW_E_CANCELLED), FEW_E_CANCELLED);
  assert_int_equal(count(ctx, base), 0);
  assert_ok(ctx, write_two(ctx, at("new//"), FEW_OK));
  expect_two(ctx, "new");
  assert_int_equal(count(ctx, base), 1);
  assert_ok(ctx, write_two(ctx, at("deep/er/new"), FEW_OK));
  expect_two(ctx, "deep/er/new");
  assert_int_equal(write_two(ctx, at("new"), FEW_OK), FEW_E_INVALID);
  assert_non_null(strstr(few_error(ctx), "new is not empty: give a new folder"));
  expect_two(ctx, "new");
  assert_int_equal(write_two(ctx, at("new/y"), FEW_OK), FEW_E_INVALID);
  assert_non_null(strstr(few_error(ctx), "y is a file: give the name of a folder"));
  assert_int_equal(write_two(ctx, at("new/y/z"), FEW_OK), FEW_E_IO); /* its parent is a file */
  few_ctx_free(ctx);
}

/* An existing folder stays the same one, with its mode, also where it cannot be renamed. */
static void test_existing(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct stat was, is;
  char here[400];
  assert_int_equal(mkdir(at("old"), 0750), 0);
  assert_int_equal(stat(at("old"), &was), 0);
  assert_int_equal(write_two(ctx, at("old"), FEW_E_IO), FEW_E_IO);
  assert_int_equal(count(ctx, at("old")), 0);
  assert_non_null(getcwd(here, sizeof here));
  assert_int_equal(chdir(at("old")), 0);
  assert_ok(ctx, write_two(ctx, "./", FEW_OK));
  assert_int_equal(chdir(here), 0);
  expect_two(ctx, "old");
  assert_int_equal(stat(at("old"), &is), 0);
  assert_true(is.st_ino == was.st_ino && is.st_mode == was.st_mode);
  few_ctx_free(ctx);
}

/* While the files are written, another program makes the folder and puts a file into it. */
static void test_race(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_folder f;
  char path[600];
  assert_ok(ctx, few__folder_open(ctx, &f, at("race")));
  snprintf(path, sizeof path, "%s/mine", f.temp);
  assert_ok(ctx, few__file_write(ctx, path, "1", 1));
  assert_ok(ctx, few__mkdirs(ctx, at("race")));
  assert_ok(ctx, few__file_write(ctx, at("race/theirs"), "2", 1));
  assert_int_equal(few__folder_end(&f, FEW_OK), FEW_E_IO);
  assert_int_equal(count(ctx, at("race")), 1);
  assert_false(few__path_exists(path));

  assert_ok(ctx, few__mkdirs(ctx, at("both"))); /* the same name, as a folder with a file */
  assert_ok(ctx, few__folder_open(ctx, &f, at("both")));
  for (int i = 0; i < 2; i++) {
    snprintf(path, sizeof path, "%s/%s", f.temp, i ? "b" : "a");
    assert_ok(ctx, few__file_write(ctx, path, "1", 1));
  }
  assert_ok(ctx, few__mkdirs(ctx, at("both/b")));
  assert_int_equal(few__folder_end(&f, FEW_OK), FEW_E_IO);
  assert_false(few__path_exists(at("both/a"))); /* it had been put in place */
  assert_true(few__path_is_dir(at("both/b")));
  assert_int_equal(count(ctx, at("both")), 1);
  few_ctx_free(ctx);
}

/* A folder that a killed process left is removed by the next writer; one in use stays. A link in it
 * is removed and not followed. */
static void test_sweep(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_folder f;
  const char *left = at("sweep/.few-00000000deadbeef.tmp");
  char inner[500];
  assert_ok(ctx, few__mkdirs(ctx, left));
  assert_ok(ctx, few__file_write(ctx, at("precious"), "1", 1));
  snprintf(inner, sizeof inner, "%s/link", left);
  assert_int_equal(symlink(base, inner), 0);
  snprintf(inner, sizeof inner, "%s/unet", left);
  assert_ok(ctx, few__mkdirs(ctx, inner));
  assert_ok(ctx, few__folder_open(ctx, &f, at("sweep/other")));
  few__sweep_dir(at("sweep"));
  assert_true(few__path_is_dir(f.temp));
  assert_int_equal(count(ctx, at("sweep")), 1);
  assert_true(few__path_is_file(at("precious")));
  assert_ok(ctx, few__folder_end(&f, FEW_OK));
  assert_ok(ctx, few__mkdirs(ctx, at("sweep/other/.few-00000000deadbeef.tmp")));
  assert_ok(ctx, write_two(ctx, at("sweep/other"), FEW_OK)); /* that left-over does not count */
  expect_two(ctx, "sweep/other");
  few_ctx_free(ctx);
}

static int begin(void **state) {
  (void)state;
  strcpy(base, "/tmp/few-test-folder-XXXXXX");
  return mkdtemp(base) ? 0 : -1;
}

static int end(void **state) {
  (void)state;
  few__remove_tree(AT_FDCWD, base);
  return access(base, F_OK) == 0;
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_new), cmocka_unit_test(test_existing),
                                     cmocka_unit_test(test_race), cmocka_unit_test(test_sweep)};
  return cmocka_run_group_tests(tests, begin, end);
}
