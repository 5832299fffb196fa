/* Tar: the members that Python's tarfile wrote, in each of its formats (tar_reference.py);
 * damage. */
#include <stdio.h>

#include "corpus.h"
#include "io/tar.h"

#define DATA FEW_TEST_DIR "/io/data/tar/"

/* Walks through an archive and reads every second file. */
static few_status walk(few_ctx *ctx, const char *place, const void *bytes, size_t n) {
  struct few_tar_member m;
  few_tar *t;
  bool end = false;
  few_status st = few__tar_memory(ctx, &t, place, bytes, n);
  for (int i = 0; !st; i++) {
    char *content = NULL;
    size_t size = 0;
    st = few__tar_next(t, &m, &end);
    if (st || end) break;
    assert_true(m.name && strlen(m.name) <= 4096);
    if (m.file && i % 2) st = few__tar_read(t, &content, &size, 1 << 20);
    if (content) assert_int_equal(size, m.size);
    few__free(ctx, content);
  }
  few__tar_close(t);
  return st;
}

/* The content of a name's file, or NULL for what is not a file. */
static void check_members(const char *file, bool read, int count) {
  static const char *const names[] = {"a.txt", "d/",    "d/l", "d/b.txt",
                                      NULL,    "empty", NULL,  "z.txt"};
  static const char *const content[] = {"alpha",  NULL, NULL,   "\0\1\2",
                                        "prefix", "",   "long", "last"};
  few_ctx *ctx = test_ctx();
  struct few_tar_member m;
  few_tar *t;
  bool end;
  assert_ok(ctx, few__tar_open(ctx, &t, file));
  for (int i = 0; i < count; i++) {
    char *bytes;
    size_t n;
    assert_ok(ctx, few__tar_next(t, &m, &end));
    assert_false(end);
    if (names[i])
      assert_string_equal(m.name, names[i]);
    else /* a long name */
      assert_true(!strncmp(m.name, "directory-00/directory-01/", 26) &&
                  strlen(m.name) == (i == 4 ? 12 * 13 + 10 : 18 * 13 + 8));
    assert_int_equal(m.file, content[i] != NULL);
    if (!m.file || !read) continue;
    assert_ok(ctx, few__tar_read(t, &bytes, &n, 1 << 20));
    assert_int_equal(n, i == 3 ? 768 : strlen(content[i]));
    assert_memory_equal(bytes, content[i], i == 3 ? 3 : n);
    few__free(ctx, bytes);
  }
  assert_ok(ctx, few__tar_next(t, &m, &end));
  assert_true(end);
  few__tar_close(t);
  few_ctx_free(ctx);
}

static void test_members(void **state) {
  (void)state;
  for (int read = 0; read < 2; read++) {
    check_members(DATA "y_ustar.tar", read, 6);
    check_members(DATA "y_base256.tar", read, 6);
    check_members(DATA "y_gzip.tar.gz", read, 6);
    check_members(DATA "y_two_gzip.tar.gz", read, 6);
    check_members(DATA "y_pax.tar", read, 8);
    check_members(DATA "y_gnu.tar", read, 8);
  }
}

static void test_refusals(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {"n_no_end.tar", "without its end mark"},  {"n_cut.tar", "longer than the rest"},
      {"n_sum.tar", "no header of a member"},    {"n_size.tar", "longer than the rest"},
      {"n_sparse.tar", "a sparse file"},         {"n_text.tar", "no header of a member"},
      {"n_cut.tar.gz", "ends too early"},        {"n_bomb.tar.gz", "more than 64 times"},
      {"n_record.tar", "a broken record"},       {"n_record_cut.tar", "a broken record"},
      {"n_large_records.tar", "more than 1 MB"}, {"n_nothing.tar", "without its end mark"}};
  few_ctx *ctx = test_ctx();
  for (int i = 0; i < FEW_COUNT(cases); i++) {
    char path[256], *bytes;
    size_t n;
    snprintf(path, sizeof path, "%s%s", DATA, cases[i][0]);
    assert_ok(ctx, few__file_read(ctx, &bytes, &n, path, 1 << 20));
    few_status st = walk(ctx, cases[i][0], bytes, n);
    if (st != FEW_E_FORMAT || !strstr(few_error(ctx), cases[i][1]))
      fail_msg("%s: %s", cases[i][0], st ? few_error(ctx) : "was read");
    few__free(ctx, bytes);
  }
  few_ctx_free(ctx);
}

static void test_limit(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_tar_member m;
  few_tar *t;
  char *bytes;
  size_t n;
  bool end;
  assert_ok(ctx, few__tar_open(ctx, &t, DATA "y_ustar.tar"));
  assert_ok(ctx, few__tar_next(t, &m, &end));
  assert_int_equal(few__tar_read(t, &bytes, &n, 4), FEW_E_FORMAT);
  assert_non_null(strstr(few_error(ctx), "5 bytes, more than 4"));
  assert_null(bytes);
  few__tar_close(t);
  few_ctx_free(ctx);
}

static void test_damage(void **state) {
  (void)state;
  static const char *const files[] = {DATA "y_ustar.tar", DATA "y_gnu.tar", DATA "y_pax.tar"};
  few_ctx *ctx = test_ctx();
  for (int i = 0; i < FEW_COUNT(files); i++) {
    char *bytes;
    size_t n;
    assert_ok(ctx, few__file_read(ctx, &bytes, &n, files[i], 1 << 16));
    corpus_truncate(ctx, walk, bytes, n - 512); /* one block of zeros is enough */
    corpus_flip(ctx, walk, bytes, n);
    few__free(ctx, bytes);
  }
  corpus_check(ctx, "tar", walk);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_members),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_limit),
      cmocka_unit_test(test_damage),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
