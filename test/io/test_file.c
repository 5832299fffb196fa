/* Writing is atomic: a write that fails leaves the old file unchanged and no temporary. */
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "corpus.h"
#include "io/sha256.h"
#include "io/zip.h"

static int temporaries(few_ctx *ctx, const char *dir) {
  struct few_names names;
  int n = 0;
  assert_ok(ctx, few__list_dir(ctx, &names, dir));
  for (int i = 0; i < names.n; i++) n += strstr(names.at[i], ".tmp") != NULL;
  few__names_free(ctx, &names);
  return n;
}

static char *make_dir(void) {
  static char dir[64];
  strcpy(dir, "/tmp/few_test_XXXXXX");
  if (!mkdtemp(dir)) abort();
  return dir;
}

static void remove_dir(few_ctx *ctx, const char *dir) {
  struct few_names names;
  assert_ok(ctx, few__list_dir(ctx, &names, dir));
  for (int i = 0; i < names.n; i++) {
    char *path;
    assert_ok(ctx, few__path_join(ctx, &path, dir, names.at[i]));
    unlink(path);
    few__free(ctx, path);
  }
  few__names_free(ctx, &names);
  rmdir(dir);
}

static void expect(few_ctx *ctx, const char *path, const char *text) {
  char *bytes;
  size_t n;
  assert_ok(ctx, few__file_read(ctx, &bytes, &n, path, 1 << 20));
  assert_int_equal(n, strlen(text));
  assert_string_equal(bytes, text);
  few__free(ctx, bytes);
}

static void test_write_and_read(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  char *dir = make_dir(), *path, *bytes;
  size_t n;
  assert_ok(ctx, few__path_join(ctx, &path, dir, "a"));
  assert_ok(ctx, few__file_write(ctx, path, "first", 5));
  assert_ok(ctx, few__file_write(ctx, path, "", 0));
  expect(ctx, path, "");
  assert_ok(ctx, few__file_write(ctx, path, "second", 6));
  expect(ctx, path, "second");
  assert_ok(ctx, few__file_read(ctx, &bytes, &n, path, 6));
  few__free(ctx, bytes);
  assert_int_equal(few__file_read(ctx, &bytes, &n, path, 5), FEW_E_FORMAT);
  assert_null(bytes);
  assert_int_equal(few__file_read(ctx, &bytes, &n, dir, 100), FEW_E_IO);
  assert_int_equal(few__file_read(ctx, &bytes, &n, "/nowhere/x", 5), FEW_E_IO);
  assert_string_equal(few_error(ctx),
                      "cannot open /nowhere/x: No such file or directory: check the path");
  few__free(ctx, path);
  remove_dir(ctx, dir);
  few_ctx_free(ctx);
}

/* Runs a child process that writes `pieces` mebibytes to the path. */
static pid_t start_writer(const char *path, int pieces) {
  static char piece[1 << 20];
  pid_t child = fork();
  if (child) return child;
  signal(SIGPIPE, SIG_DFL);
  FILE *f = fopen(path, "w");
  for (int i = 0; f && i < pieces; i++) fwrite(piece, 1, sizeof piece, f);
  _exit(f && !fclose(f) ? 0 : 1);
}

/* A device may never end; a pipe may never begin or end. */
static void test_devices_and_pipes(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  char *dir = make_dir(), *path, *bytes, hash[FEW_SHA256_TEXT];
  size_t n;
  int code;
  static const char *const devices[] = {"/dev/zero", "/dev/null", "/dev/full"};
  for (int i = 0; i < FEW_COUNT(devices); i++) {
    assert_int_equal(few__file_read(ctx, &bytes, &n, devices[i], SIZE_MAX), FEW_E_IO);
    assert_non_null(strstr(few_error(ctx), "it is a device, not a file"));
  }
  assert_ok(ctx, few__path_join(ctx, &path, dir, "pipe"));
  assert_int_equal(mkfifo(path, 0600), 0);
  pid_t child = start_writer(path, 2);
  assert_ok(ctx, few__file_read(ctx, &bytes, &n, path, SIZE_MAX));
  assert_int_equal(n, 2 << 20);
  few__free(ctx, bytes);
  assert_int_equal(waitpid(child, &code, 0), child);
  child = start_writer(path, 1 << 20);
  assert_int_equal(few__file_read(ctx, &bytes, &n, path, SIZE_MAX), FEW_E_FORMAT);
  assert_int_equal(waitpid(child, &code, 0), child);
  assert_true(WIFSIGNALED(code));
  assert_int_equal(few__file_check(ctx, path), FEW_E_IO);
  assert_int_equal(few__sha256_file(ctx, hash, path), FEW_E_IO);
  assert_false(few__zip_has(path, "x"));
  few__free(ctx, path);
  remove_dir(ctx, dir);
  few_ctx_free(ctx);
}

/* A sparse file is larger than the memory of any machine. */
static void test_size_before_reading(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  char *dir = make_dir(), *path, *bytes;
  size_t n;
  assert_ok(ctx, few__path_join(ctx, &path, dir, "holes"));
  FILE *f = fopen(path, "w");
  if (f && !ftruncate(fileno(f), (off_t)1 << 43))
    assert_int_equal(few__file_read(ctx, &bytes, &n, path, SIZE_MAX), FEW_E_MEMORY);
  if (f) fclose(f);
  few__free(ctx, path);
  remove_dir(ctx, dir);
  few_ctx_free(ctx);
}

static void test_large_write(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  char *dir = make_dir(), *path, *bytes;
  size_t n, size = 200001;
  char *big = malloc(size);
  for (size_t i = 0; i < size; i++) big[i] = (char)(i * 7 % 251);
  few_writer *w;
  assert_ok(ctx, few__path_join(ctx, &path, dir, "big"));
  assert_ok(ctx, few__writer_open(ctx, &w, path));
  few__writer_put(w, big, 1);
  few__writer_put(w, big + 1, 70000);
  for (size_t i = 70001; i < size; i += 1000) few__writer_put(w, big + i, 1000);
  assert_false(few__path_exists(path)); /* not before the end */
  assert_ok(ctx, few__writer_end(w, FEW_OK));
  assert_ok(ctx, few__file_read(ctx, &bytes, &n, path, size));
  assert_int_equal(n, size);
  assert_memory_equal(bytes, big, size);
  few__free(ctx, bytes);
  few__free(ctx, path);
  free(big);
  remove_dir(ctx, dir);
  few_ctx_free(ctx);
}

static void test_abandoned_write(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  char *dir = make_dir(), *path;
  few_writer *w;
  assert_ok(ctx, few__path_join(ctx, &path, dir, "a"));
  assert_ok(ctx, few__file_write(ctx, path, "old", 3));
  assert_ok(ctx, few__writer_open(ctx, &w, path));
  few__writer_put(w, "new", 3);
  assert_int_equal(few__writer_end(w, FEW_E_CANCELLED), FEW_E_CANCELLED);
  expect(ctx, path, "old");
  assert_int_equal(temporaries(ctx, dir), 0);
  few__free(ctx, path);
  remove_dir(ctx, dir);
  few_ctx_free(ctx);
}

static void test_full_disk(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  char *dir = make_dir(), *path;
  struct stat s;
  assert_int_equal(few__file_write(ctx, "/dev/full", "x", 1), FEW_E_IO);
  assert_non_null(strstr(few_error(ctx), "cannot write /dev/full: No space left"));
  assert_non_null(strstr(few_error(ctx), "free some space"));
  assert_true(stat("/dev/full", &s) == 0 && S_ISCHR(s.st_mode));

  struct rlimit old, low = {1000, RLIM_INFINITY};
  getrlimit(RLIMIT_FSIZE, &old);
  low.rlim_max = old.rlim_max;
  signal(SIGXFSZ, SIG_IGN);
  assert_ok(ctx, few__path_join(ctx, &path, dir, "a"));
  assert_ok(ctx, few__file_write(ctx, path, "old", 3));
  setrlimit(RLIMIT_FSIZE, &low);
  char big[5000] = {0};
  few_status st = few__file_write(ctx, path, big, sizeof big);
  setrlimit(RLIMIT_FSIZE, &old);
  assert_int_equal(st, FEW_E_IO);
  assert_non_null(strstr(few_error(ctx), "ulimit"));
  expect(ctx, path, "old");
  assert_int_equal(temporaries(ctx, dir), 0);
  few__free(ctx, path);
  remove_dir(ctx, dir);
  few_ctx_free(ctx);
}

static void test_links_and_directories(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  char *dir = make_dir(), *target, *link;
  struct stat s;
  assert_ok(ctx, few__path_join(ctx, &target, dir, "target"));
  assert_ok(ctx, few__path_join(ctx, &link, dir, "link"));
  assert_ok(ctx, few__file_write(ctx, target, "old", 3));
  assert_int_equal(symlink("target", link), 0);
  assert_ok(ctx, few__file_write(ctx, link, "new", 3));
  assert_true(lstat(link, &s) == 0 && S_ISLNK(s.st_mode));
  expect(ctx, target, "new");
  assert_int_equal(few__file_write(ctx, dir, "x", 1), FEW_E_IO);
  assert_non_null(strstr(few_error(ctx), "directory"));
  assert_int_equal(few__file_write(ctx, "/nowhere/x", "x", 1), FEW_E_IO);
  few__free(ctx, target);
  few__free(ctx, link);
  remove_dir(ctx, dir);
  few_ctx_free(ctx);
}

/* ---- many writers of one path ---- */

enum { WRITES = 40, LENGTH = 100000 };

struct job {
  const char *path;
  char byte;
  int failed;
};

static void *write_often(void *of) {
  struct job *j = of;
  few_ctx *ctx = test_ctx();
  char *bytes = malloc(LENGTH), *got;
  size_t n;
  memset(bytes, j->byte, LENGTH);
  for (int i = 0; i < WRITES; i++) {
    j->failed += few__file_write(ctx, j->path, bytes, LENGTH) != FEW_OK;
    bool torn = few__file_read(ctx, &got, &n, j->path, LENGTH) || n != LENGTH;
    for (size_t k = 1; !torn && k < n; k++) torn = got[k] != got[0];
    j->failed += torn;
    few__free(ctx, got);
  }
  free(bytes);
  few_ctx_free(ctx);
  return NULL;
}

static void test_threads_on_one_path(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  char *dir = make_dir(), *path;
  struct job job[3];
  pthread_t thread[3];
  assert_ok(ctx, few__path_join(ctx, &path, dir, "a"));
  for (int i = 0; i < 3; i++) {
    job[i] = (struct job){path, (char)('a' + i), 0};
    assert_int_equal(pthread_create(&thread[i], NULL, write_often, &job[i]), 0);
  }
  for (int i = 0; i < 3; i++) {
    pthread_join(thread[i], NULL);
    assert_int_equal(job[i].failed, 0);
  }
  assert_int_equal(temporaries(ctx, dir), 0);
  few__free(ctx, path);
  remove_dir(ctx, dir);
  few_ctx_free(ctx);
}

/* Temporaries without a writer are removed. Those in use stay, and so do files with other names. */
static void test_sweep(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  char *dir = make_dir(), *path, *left, *other;
  few_writer *w;
  assert_ok(ctx, few__path_join(ctx, &path, dir, "a"));
  assert_ok(ctx, few__path_join(ctx, &left, dir, ".few-00000000deadbeef.tmp"));
  assert_ok(ctx, few__path_join(ctx, &other, dir, ".few-00000000DEADBEEF.tmp"));
  assert_ok(ctx, few__file_write(ctx, left, "half", 4));
  assert_ok(ctx, few__file_write(ctx, other, "mine", 4));
  assert_ok(ctx, few__writer_open(ctx, &w, path));
  few__writer_put(w, "new", 3);
  few__sweep_beside(path);
  assert_false(few__path_exists(left));
  assert_true(few__path_exists(other));
  assert_int_equal(temporaries(ctx, dir), 2); /* the writer's, and the other file */
  assert_ok(ctx, few__writer_end(w, FEW_OK));
  expect(ctx, path, "new");
  few__sweep_dir("/nowhere");
  few__free(ctx, path);
  few__free(ctx, left);
  few__free(ctx, other);
  remove_dir(ctx, dir);
  few_ctx_free(ctx);
}

static mode_t mode_of(const char *path) {
  struct stat s;
  assert_int_equal(stat(path, &s), 0);
  return s.st_mode & 07777;
}

static void test_modes(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  char *dir = make_dir(), *path;
  const mode_t old = umask(027), modes[] = {0600, 0644, 0666, 0400};
  assert_ok(ctx, few__path_join(ctx, &path, dir, "a"));
  assert_ok(ctx, few__file_write(ctx, path, "1", 1));
  assert_int_equal(mode_of(path), 0640); /* a new file has the mode of the umask */
  for (int i = 0; i < FEW_COUNT(modes); i++) {
    assert_int_equal(chmod(path, modes[i]), 0);
    assert_ok(ctx, few__file_write(ctx, path, "2", 1));
    assert_int_equal(mode_of(path), modes[i]);
  }
  umask(old);
  few__free(ctx, path);
  remove_dir(ctx, dir);
  few_ctx_free(ctx);
}

/* A suffix would not fit after a name of the greatest length. */
static void test_long_name(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  char *dir = make_dir(), *path, name[256];
  memset(name, 'n', 255);
  name[255] = 0;
  assert_ok(ctx, few__path_join(ctx, &path, dir, name));
  assert_ok(ctx, few__file_write(ctx, path, "x", 1));
  expect(ctx, path, "x");
  few__free(ctx, path);
  remove_dir(ctx, dir);
  few_ctx_free(ctx);
}

static void test_mkdirs_and_list(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  char *dir = make_dir(), *deep, *file;
  struct few_names names;
  assert_ok(ctx, few__path_join(ctx, &deep, dir, "b/c//d/"));
  assert_ok(ctx, few__mkdirs(ctx, deep));
  assert_ok(ctx, few__mkdirs(ctx, deep));
  assert_true(few__path_is_dir(deep));
  const char *files[] = {"z", "A", "a", "_"};
  for (int i = 0; i < 4; i++) {
    assert_ok(ctx, few__path_join(ctx, &file, deep, files[i]));
    assert_ok(ctx, few__file_write(ctx, file, "", 0));
    assert_string_equal(few__path_name(file), files[i]);
    few__free(ctx, file);
  }
  assert_ok(ctx, few__list_dir(ctx, &names, deep));
  const char *sorted[] = {"A", "_", "a", "z"};
  assert_int_equal(names.n, 4);
  for (int i = 0; i < 4; i++) assert_string_equal(names.at[i], sorted[i]);
  few__names_free(ctx, &names);
  assert_ok(ctx, few__path_join(ctx, &file, deep, "a/b"));
  assert_int_equal(few__mkdirs(ctx, file), FEW_E_IO);
  assert_int_equal(few__list_dir(ctx, &names, file), FEW_E_IO);
  few__free(ctx, file);
  remove_dir(ctx, deep);
  deep[strlen(dir) + 4] = 0;
  rmdir(deep);
  deep[strlen(dir) + 2] = 0;
  rmdir(deep);
  few__free(ctx, deep);
  rmdir(dir);
  assert_false(few__path_exists(dir));
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_write_and_read),
      cmocka_unit_test(test_devices_and_pipes),
      cmocka_unit_test(test_size_before_reading),
      cmocka_unit_test(test_large_write),
      cmocka_unit_test(test_abandoned_write),
      cmocka_unit_test(test_full_disk),
      cmocka_unit_test(test_links_and_directories),
      cmocka_unit_test(test_mkdirs_and_list),
      cmocka_unit_test(test_threads_on_one_path),
      cmocka_unit_test(test_sweep),
      cmocka_unit_test(test_modes),
      cmocka_unit_test(test_long_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
