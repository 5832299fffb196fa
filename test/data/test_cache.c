/* The cache of decoded images gives the same set. Any change of options or files makes it stale, a
 * damaged cache is written again, and it is not an error if the cache cannot be written. */
#include <errno.h>
#include <time.h>

#include "grey.h"

struct opened {
  uint64_t hash;
  bool from_cache;
  int64_t n, skipped;
};

static struct opened open_set(struct files *f, const struct few_data_opts *o) {
  few_data *d = NULL;
  assert_ok(f->ctx, files_open(f, &d, "folder", "s", NULL, o));
  const struct opened r = {few_data_hash(d),
                           few_data_note(d) && strstr(few_data_note(d), "decoded before"),
                           few_data_n(d), few_data_skipped(d)};
  few_data_free(d);
  return r;
}

/* The name of the one hidden file in a folder, "" for none. */
static void find_cache(struct files *f, const char *folder, const char *prefix, char out[300]) {
  char path[200];
  snprintf(path, sizeof path, "%s/%s", f->dir, folder);
  DIR *dir = opendir(path);
  *out = '\0';
  for (struct dirent *e; dir && (e = readdir(dir));)
    if (!strncmp(e->d_name, prefix, strlen(prefix)))
      snprintf(out, 300, "%s/%.90s", folder, e->d_name);
  if (dir) closedir(dir);
}

static void make_set(struct files *f) {
  for (int i = 0; i < 6; i++) {
    char name[40];
    snprintf(name, sizeof name, "s/%s/%d.png", i % 2 ? "a" : "b", i);
    image(f, name, 40 * i);
  }
  files_write(f, "s/a/bad.png", "broken", 6);
}

static void flip_byte(struct files *f, const char *name, long at) {
  FILE *file = fopen(files_path(f, name), "r+b");
  assert_non_null(file);
  assert_int_equal(fseek(file, at, at < 0 ? SEEK_END : SEEK_SET), 0);
  const int byte = fgetc(file);
  assert_int_equal(fseek(file, at, at < 0 ? SEEK_END : SEEK_SET), 0);
  fputc(byte ^ 1, file);
  assert_int_equal(fclose(file), 0);
}

/* Waits until new files are older than the resolution of file times. Younger files are not cached.
 */
static void wait_grain(void) {
  struct timespec t = {2, 50000000};
  while (nanosleep(&t, &t) && errno == EINTR) {
  }
}

/* Files that are too new are not cached: they may change again at the same file time. */
static void check_new(struct files *f) {
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  char file[300];
  o.on_error = FEW_DATA_SKIP;
  o.cache = FEW_DATA_CACHE_YES;
  open_set(f, &o);
  find_cache(f, "s", ".few", file);
  assert_string_equal(file, "");
}

static void check_cache(struct files *f) {
  struct few_data_opts o = FEW_DATA_OPTS_INIT, plain, other;
  char file[300];
  o.on_error = FEW_DATA_SKIP;
  o.cache = FEW_DATA_CACHE_YES;
  plain = other = o;
  plain.cache = other.cache = FEW_DATA_CACHE_NO;
  other.limit = 3;
  const struct opened want = open_set(f, &plain), few = open_set(f, &other);
  assert_true(want.n == 6 && want.skipped == 1 && !want.from_cache && few.n == 3);
  struct opened r = open_set(f, &o);
  assert_true(!r.from_cache && r.hash == want.hash);
  find_cache(f, "s", ".few-cache-", file);
  assert_true(*file);
  r = open_set(f, &o);
  assert_true(r.from_cache && r.hash == want.hash && r.n == 6 && r.skipped == 1);
  o.cache = FEW_DATA_CACHE_AUTO; /* decoding is fast, but the cache exists */
  assert_true(open_set(f, &o).from_cache);
  assert_false(open_set(f, &plain).from_cache);

  other.cache = FEW_DATA_CACHE_YES; /* other options have a cache file of their own */
  r = open_set(f, &other);
  assert_true(!r.from_cache && r.hash == few.hash);
  r = open_set(f, &other);
  assert_true(r.from_cache && r.hash == few.hash);
  assert_true(open_set(f, &o).from_cache);

  struct stat s;
  assert_int_equal(stat(files_path(f, file), &s), 0);
  const long places[] = {0, 20, 80, 110, 130, -9, -1};
  for (int i = 0; i < 7; i++) { /* a damaged cache: images are decoded and cached again */
    flip_byte(f, file, places[i]);
    r = open_set(f, &o);
    assert_true(!r.from_cache && r.hash == want.hash && r.n == 6 && r.skipped == 1);
    flip_byte(f, file, places[i]);
    assert_true(open_set(f, &o).from_cache);
  }
  assert_int_equal(truncate(files_path(f, file), s.st_size - 1), 0);
  o.cache = FEW_DATA_CACHE_YES;
  assert_false(open_set(f, &o).from_cache);
  assert_true(open_set(f, &o).from_cache);

  assert_int_equal(chmod(files_path(f, "s"), 0500), 0); /* as root this is no obstacle */
  files_write(f, "s/a/1.png", "broken", 6);
  r = open_set(f, &o);
  assert_true(!r.from_cache && r.n == 5 && r.skipped == 2);
  assert_int_equal(chmod(files_path(f, "s"), 0700), 0);
}

/* The cache is in the folder that FEW_CACHE names; there is none if FEW_CACHE is empty. */
static void check_place(struct files *f) {
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  char file[300];
  o.on_error = FEW_DATA_SKIP;
  o.cache = FEW_DATA_CACHE_YES;
  setenv("FEW_CACHE", "", 1);
  open_set(f, &o);
  assert_false(open_set(f, &o).from_cache);
  setenv("FEW_CACHE", "/dev/null/nowhere", 1);
  open_set(f, &o);
  assert_false(open_set(f, &o).from_cache);
  find_cache(f, "s", ".few", file);
  assert_string_equal(file, "");
  setenv("FEW_CACHE", files_path(f, "kept/in"), 1); /* created if it does not exist */
  open_set(f, &o);
  assert_true(open_set(f, &o).from_cache);
  find_cache(f, "kept/in", "folder-", file);
  assert_true(*file);
  unsetenv("FEW_CACHE");
  o.cache = FEW_DATA_CACHE_AUTO;
  assert_false(open_set(f, &o).from_cache);
}

static void test_cache(void **state) { /* in one test, to wait only once */
  make_set(*state);
  check_new(*state);
  wait_grain();
  check_place(*state);
  check_cache(*state);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, files_setup, files_teardown)
  const struct CMUnitTest tests[] = {TEST(test_cache)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
