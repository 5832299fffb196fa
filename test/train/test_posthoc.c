/* Averages made from snapshots after a run are compared with an average that the run itself kept.
 */
#include "testing.h"

#include <math.h>
#include <unistd.h>

#include "few/model.h"
#include "few/train.h"

static char root[] = "/tmp/few-test-posthoc-XXXXXX";

static few_status train(few_ctx *ctx, const char *name, const char *recipe, const char *steps,
                        const char *every) {
  char dir[96], path[256];
  struct few_train_opts t = FEW_TRAIN_OPTS_INIT;
  const char *const overrides[] = {steps,
                                   every,
                                   "ema=0",
                                   "ema_power=0.07",
                                   "batch=64",
                                   "shards=2",
                                   "preview_every=0",
                                   "log_every=60",
                                   "width=16",
                                   "layers=3",
                                   "lr_shape=constant"};
  snprintf(dir, sizeof dir, "%s/%s", root, name);
  snprintf(path, sizeof path, FEW_TEST_DIR "/../recipes/%s.ini", recipe);
  t.recipe = path;
  t.run = dir;
  t.n_overrides = sizeof overrides / sizeof *overrides;
  t.overrides = overrides;
  return few_train(ctx, &t);
}

static few_model *load(few_ctx *ctx, const char *name) {
  char path[160];
  few_model *m;
  snprintf(path, sizeof path, "%s/%s", root, name);
  assert_ok(ctx, few_model_load(&m, ctx, path));
  return m;
}

static few_status average(few_ctx *ctx, few_model **out, const char *name, double sigma_rel,
                          struct few_posthoc_report *r) {
  char dir[96];
  snprintf(dir, sizeof dir, "%s/%s", root, name);
  return few_posthoc_average(out, r, ctx, dir, sigma_rel, 0);
}

static double distance(const few_model *a, const few_model *b) {
  struct few_model_info info;
  double sum = 0;
  few_model_info(&info, sizeof info, a);
  for (int64_t i = 0; i < info.parameters; i++) {
    const double d = (double)few_model_values(a)[i] - (double)few_model_values(b)[i];
    sum += d * d;
  }
  return sqrt(sum / (double)info.parameters);
}

/* With 12 snapshots of 60 steps. The profile of width 0.1 is one of those kept, so that average is
 * a snapshot. The one of 0.07 lies between: its distance from the run's own average is below the
 * profile's error times the distance between averages of different width, and the error of adding
 * a profile step by step, 1/60. */
static void test_average(void **state) {
  (void)state;
  struct few_posthoc_report r;
  few_ctx *ctx = test_ctx();
  few_model *kept, *made;
  assert_ok(ctx, train(ctx, "run", "toy-teacher", "steps=60", "snapshot_every=5"));
  kept = load(ctx, "run/snapshot-000000060-100.safetensors");
  assert_ok(ctx, average(ctx, &made, "run", 0.1, &r));
  assert_int_equal(r.snapshots, 24);
  assert_int_equal(r.step, 60);
  assert_true(r.error < 1e-6);
  assert_true(distance(kept, made) < 1e-6);
  few_model_free(made);
  few_model *tracked = load(ctx, "run/model.safetensors");
  assert_ok(ctx, average(ctx, &made, "run", 0.07, &r));
  printf("0.07: profile %.3g, weights %.3g, from width 0.1 %.3g\n", r.error,
         distance(made, tracked), distance(kept, tracked));
  assert_in_range((int)(r.error * 1000), 0, 20);
  assert_true(distance(made, tracked) < (r.error + 1. / 60) * distance(kept, tracked));
  few_model_free(made);
  few_model_free(tracked);
  few_model_free(kept);
  few_ctx_free(ctx);
}

/* A run in two parts writes the same snapshots as one in one part. */
static void test_resumed(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  assert_ok(ctx, train(ctx, "parts", "toy-teacher", "steps=35", "snapshot_every=5"));
  assert_ok(ctx, train(ctx, "parts", "toy-teacher", "steps=60", "snapshot_every=5"));
  for (int step = 5; step <= 60; step += 5) {
    char name[80];
    few_model *m[2];
    for (int i = 0; i < 2; i++) {
      snprintf(name, sizeof name, "%s/snapshot-%09d-050.safetensors", i ? "parts" : "run", step);
      m[i] = load(ctx, name);
    }
    assert_true(distance(m[0], m[1]) == 0);
    for (int i = 0; i < 2; i++) few_model_free(m[i]);
  }
  few_ctx_free(ctx);
}

static void refused(few_ctx *ctx, few_status st, const char *part) {
  assert_int_equal(st, FEW_E_INVALID);
  if (!strstr(few_error(ctx), part)) fail_msg("`%s` does not say `%s`", few_error(ctx), part);
}

static void test_refused(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_model *m;
  refused(ctx, average(ctx, &m, "run", 0.004, NULL), "smaller snapshot_every");
  assert_null(m);
  refused(ctx, average(ctx, &m, "run", 0.3, NULL), "0.289");
  assert_ok(ctx, train(ctx, "none", "toy-teacher", "steps=2", "snapshot_every=0"));
  refused(ctx, average(ctx, &m, "none", 0.1, NULL), "train with snapshot_every");
  refused(ctx, train(ctx, "stages", "toy-progressive", "steps=60", "snapshot_every=5"),
          "no common average");
  few_ctx_free(ctx);
}

static int begin(void **state) {
  (void)state;
  return mkdtemp(root) ? 0 : -1;
}

static int end(void **state) {
  char command[128];
  (void)state;
  snprintf(command, sizeof command, "rm -rf %s", root);
  return system(command);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_average), cmocka_unit_test(test_resumed),
                                     cmocka_unit_test(test_refused)};
  return cmocka_run_group_tests(tests, begin, end);
}
