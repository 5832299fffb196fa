/* The cache of machine code. Code is read back for its key only. A file that was truncated or
 * changed is ignored. Nothing is written if the cache is switched off. */
#include "testing.h"

#include <stdlib.h>
#include <unistd.h>

#include "engine/backend/cuda/cache.h"

static char *path_in(const char *dir) {
  static char path[300];
  FILE *p;
  char command[200];
  snprintf(command, sizeof command, "ls %s/*.cubin", dir);
  p = popen(command, "r");
  assert_non_null(p);
  assert_non_null(fgets(path, sizeof path, p));
  pclose(p);
  path[strcspn(path, "\n")] = 0;
  return path;
}

static void check_none(const char *key) {
  assert_int_equal(few__cache_read(key, strlen(key), NULL, 0), 0);
}

static void test_kept(void **state) {
  (void)state;
  char dir[] = "/tmp/few-cache-XXXXXX", sub[64], bytes[5] = {0};
  assert_non_null(mkdtemp(dir));
  snprintf(sub, sizeof sub, "%s/made", dir);
  setenv("FEW_CACHE", sub, 1);
  check_none("text");
  few__cache_write("text", 4, "co\0de", 5);
  assert_int_equal(few__cache_read("text", 4, bytes, 4), 5); /* too little room: the file stays */
  assert_int_equal(bytes[0], 0);
  assert_int_equal(few__cache_read("text", 4, bytes, 5), 5);
  assert_memory_equal(bytes, "co\0de", 5);
  check_none("tex");
  char *path = path_in(sub);
  assert_int_equal(truncate(path, 22), 0);
  check_none("text");
  few__cache_write("text", 4, "other", 5); /* replaces the file */
  FILE *f = fopen(path, "r+b");
  assert_non_null(f);
  fseek(f, 16, SEEK_SET); /* the key */
  fputc('T', f);
  fclose(f);
  check_none("text");
  assert_int_equal(unlink(path), 0);
  setenv("FEW_CACHE", "", 1);
  few__cache_write("text", 4, "code", 4);
  check_none("text");
  assert_int_equal(rmdir(sub), 0); /* succeeds, because the folder is empty */
  assert_int_equal(rmdir(dir), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_kept)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
