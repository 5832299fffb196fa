/* The directory of a run: one process locks it, and unfinished files are removed. */
#include "testing.h"

#include <unistd.h>

#include "io/file.h"
#include "train/run_dir.h"

static few_ctx *ctx;
static char dir[] = "/tmp/few-test-XXXXXX";

static void path_of(char out[128], const char *name) { snprintf(out, 128, "%s/run/%s", dir, name); }

static void put(const char *name) {
  char path[128];
  path_of(path, name);
  assert_false(few__file_write(ctx, path, "x", 1));
}

static bool there(const char *name) {
  char path[128];
  path_of(path, name);
  return few__path_exists(path);
}

static void test_one_at_a_time(void **state) {
  FEW_UNUSED(state);
  char run[128];
  int a, b;
  path_of(run, "");
  assert_false(few__run_dir_open(ctx, run, &a));
  assert_int_equal(few__run_dir_open(ctx, run, &b), FEW_E_INVALID);
  assert_int_equal(b, -1);
  assert_non_null(strstr(few_error(ctx), "another process is training in"));
  few__run_dir_close(a);
  assert_false(few__run_dir_open(ctx, run, &b));
  few__run_dir_close(b);
  few__run_dir_close(-1);
}

static void test_left_over(void **state) {
  FEW_UNUSED(state);
  static const char *const goes[] = {"checkpoint-000000020.safetensors.tmp-7",
                                     "log.jsonl.tmp-12",
                                     "model.safetensors.tmp-1",
                                     "preview-000000001.png.tmp-99",
                                     "pairs-000000000.npy.tmp-8",
                                     "recipe.ini.tmp-5",
                                     ".few-0123456789abcdef.tmp"};
  static const char *const stays[] = {"checkpoint-000000020.safetensors",
                                      "notes.tmp-7",
                                      "recipe.ini.tmp-",
                                      "recipe.ini.tmp-5x",
                                      "model.tmp-3",
                                      ".few-0123456789abcdeg.tmp",
                                      ".few-0123456789abcdef.tmp2"};
  char run[128];
  int lock;
  path_of(run, "");
  for (int i = 0; i < FEW_COUNT(goes); i++) put(goes[i]);
  for (int i = 0; i < FEW_COUNT(stays); i++) put(stays[i]);
  assert_false(few__run_dir_open(ctx, run, &lock));
  for (int i = 0; i < FEW_COUNT(goes); i++) assert_false(there(goes[i]));
  for (int i = 0; i < FEW_COUNT(stays); i++) {
    char path[128];
    assert_true(there(stays[i]));
    path_of(path, stays[i]);
    unlink(path);
  }
  few__run_dir_close(lock);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_at_a_time),
                                     cmocka_unit_test(test_left_over)};
  char run[128];
  ctx = test_ctx();
  if (!mkdtemp(dir)) return 1;
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  path_of(run, "");
  rmdir(run);
  rmdir(dir);
  few_ctx_free(ctx);
  return failed;
}
