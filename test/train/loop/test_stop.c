/* A loop that is stopped while it samples keeps the finished samples, and ends with the same
 * samples when it is resumed. */
#include <unistd.h>

#include "few/loop.h"
#include "io/file.h"
#include "io/npy.h"
#include "testing.h"

enum { SAMPLES = 3000 };

static int stop_late(void *user, const struct few_progress *p) {
  return *(int *)user && !strcmp(p->what, "sampling") && p->done >= 300;
}

static few_status loop(const char *dir, int stop) {
  static const char *const overrides[] = {"steps=4", "checkpoint_every=4", "log_every=4"};
  struct few_ctx_opts c = FEW_CTX_OPTS_INIT;
  struct few_loop_opts o = FEW_LOOP_OPTS_INIT;
  few_ctx *ctx;
  c.user = &stop;
  c.progress = stop_late;
  c.workers = 1; /* 256 points at first */
  assert_int_equal(few_ctx_create(&ctx, &c), FEW_OK);
  o.recipe = FEW_TEST_DIR "/cli/moons.ini";
  o.run = dir;
  o.overrides = (const char **)(uintptr_t)overrides;
  o.n_overrides = FEW_COUNT(overrides);
  o.generations = 1;
  o.n_real = 100;
  o.n_synthetic = SAMPLES;
  o.steps = 3;
  few_status st = few_loop(ctx, &o);
  if (st && !stop) fail_msg("%s", few_error(ctx));
  if (stop) assert_non_null(strstr(few_error(ctx), "generation 1: stopped after"));
  few_ctx_free(ctx);
  return st;
}

static void test_stopped_among_samples(void **state) {
  (void)state;
  char dir[] = "/tmp/few-loop-XXXXXX", whole[64], parts[64], path[128], command[256];
  few_ctx *ctx = test_ctx();
  struct few_npy a;
  assert_non_null(mkdtemp(dir));
  snprintf(whole, sizeof whole, "%s/whole", dir);
  snprintf(parts, sizeof parts, "%s/parts", dir);
  assert_int_equal(loop(whole, 0), FEW_OK);
  assert_int_equal(loop(parts, 1), FEW_E_CANCELLED);
  snprintf(path, sizeof path, "%s/generation-001/samples.part.npy", parts);
  assert_ok(ctx, few__npy_read(ctx, &a, path, SIZE_MAX / 2));
  assert_true(a.dim[0] >= 256 && a.dim[0] < SAMPLES);
  few__npy_free(ctx, &a);
  assert_int_equal(loop(parts, 0), FEW_OK);
  assert_false(few__path_exists(path));
  snprintf(command, sizeof command, "cd %s && cmp %s %s", dir, "whole/generation-001/samples.npy",
           "parts/generation-001/samples.npy");
  assert_int_equal(system(command), 0);
  snprintf(command, sizeof command, "rm -r %s", dir);
  assert_int_equal(system(command), 0);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_stopped_among_samples)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
