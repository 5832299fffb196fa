/* A run that is interrupted while its teacher makes pairs keeps those that are finished, makes the
 * rest when it goes on, and ends in the bytes of a run that nothing stopped. */
#include "io/npy.h"
#include "toys.h"

enum { PAIRS = 3000 };

struct watch {
  int64_t stop; /* cancel when so many pairs are made; 0: never */
  int64_t least, last;
};

static int watch_pairs(void *user, const struct few_progress *p) {
  struct watch *w = user;
  if (strcmp(p->what, "making pairs") != 0) return 0;
  assert_int_equal(p->total, PAIRS);
  if (w->least < 0) w->least = p->done;
  w->last = p->done;
  return w->stop && p->done >= w->stop;
}

static few_status run(struct toy *t, struct watch *w, const char *dir) {
  static const char *const overrides[] = {TOY_TEACHER,       "pairs=3000",        "pairs_steps=4",
                                          "steps=3",         "batch=32",          "ema=0",
                                          "preview_every=0", "checkpoint_every=3"};
  struct few_ctx_opts c = FEW_CTX_OPTS_INIT;
  struct few_train_opts o = FEW_TRAIN_OPTS_INIT;
  few_ctx *ctx;
  char path[512];
  snprintf(path, sizeof path, "%s/%s", t->dir, dir);
  *w = (struct watch){.stop = w->stop, .least = -1};
  c.user = w;
  c.progress = watch_pairs;
  c.workers = 1;
  assert_int_equal(few_ctx_create(&ctx, &c), FEW_OK);
  o.recipe = FEW_TEST_DIR "/../recipes/toy-direct.ini";
  o.run = path;
  o.overrides = overrides;
  o.n_overrides = FEW_COUNT(overrides);
  few_status st = few_train(ctx, &o);
  if (st && st != FEW_E_CANCELLED) fail_msg("%s", few_error(ctx));
  few_ctx_free(ctx);
  return st;
}

static int64_t pairs_in(const struct toy *t, const char *dir) {
  char path[512];
  struct few_npy a;
  snprintf(path, sizeof path, "%s/%s/pairs-000000000.npy", t->dir, dir);
  assert_ok(t->ctx, few__npy_read(t->ctx, &a, path, SIZE_MAX / 2));
  const int64_t n = a.dim[0];
  few__npy_free(t->ctx, &a);
  return n;
}

static void test_interrupted(void **state) {
  (void)state;
  struct toy t = toy_begin();
  struct watch w = {.stop = 0};
  char command[256];
  assert_int_equal(run(&t, &w, "whole"), FEW_OK);
  assert_int_equal(w.last, PAIRS);
  assert_int_equal(pairs_in(&t, "whole"), PAIRS);
  w.stop = 300;
  assert_int_equal(run(&t, &w, "parts"), FEW_E_CANCELLED);
  const int64_t had = pairs_in(&t, "parts");
  assert_true(had > 0 && had < PAIRS);
  w.stop = 0;
  assert_int_equal(run(&t, &w, "parts"), FEW_OK);
  assert_true(w.least >= had);
  snprintf(command, sizeof command, "cd %s && cmp whole/%s parts/%s && cmp whole/%s parts/%s",
           t.dir, "model.safetensors", "model.safetensors", "pairs-000000000.npy",
           "pairs-000000000.npy");
  assert_int_equal(system(command), 0);
  toy_end(&t);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_interrupted)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
