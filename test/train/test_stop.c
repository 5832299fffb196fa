/* A long step can be stopped in the middle. Nothing of it is kept, and the resumed run ends with
 * the same bits. */
#include "testing.h"

#include <time.h>
#include <unistd.h>

#include "few/model.h"
#include "few/train.h"

struct asked {
  int64_t at; /* number of finished steps after which to stop, in the middle of a step; -1: never */
  int calls;  /* number of reports so far with `at` finished steps */
  int stopped; /* in the middle */
};

/* The end of a step is reported once. Later reports with the same number come from the next
 * step. */
static int on_progress(void *user, const struct few_progress *p) {
  struct asked *a = user;
  if (p->done != a->at || strcmp(p->what, "training") != 0) return 0;
  a->stopped = ++a->calls > 1;
  if (!a->stopped) /* the callback is called again a tenth of a second later */
    nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
  return a->stopped;
}

static few_status train(struct asked *asked, const char *dir) {
  static const char *const overrides[] = {"steps=4",         "batch=64",     "shards=1",
                                          "preview_every=0", "data_limit=0", "log_every=1",
                                          "width=16",        "layers=3"};
  struct few_ctx_opts o = FEW_CTX_OPTS_INIT;
  struct few_train_opts t = FEW_TRAIN_OPTS_INIT;
  few_ctx *ctx;
  o.user = asked;
  o.progress = on_progress;
  o.workers = 1;
  assert_int_equal(few_ctx_create(&ctx, &o), FEW_OK);
  t.recipe = FEW_TEST_DIR "/../recipes/toy-teacher.ini";
  t.run = dir;
  t.n_overrides = sizeof overrides / sizeof *overrides;
  t.overrides = overrides;
  few_status st = few_train(ctx, &t);
  if (st && st != FEW_E_CANCELLED) fail_msg("%s", few_error(ctx));
  few_ctx_free(ctx);
  return st;
}

static few_model *model_of(few_ctx *ctx, const char *dir) {
  char path[128];
  few_model *m;
  snprintf(path, sizeof path, "%s/model.safetensors", dir);
  assert_ok(ctx, few_model_load(&m, ctx, path));
  return m;
}

static void test_in_the_middle(void **state) {
  (void)state;
  char root[] = "/tmp/few-test-stop-XXXXXX", whole[64], parts[64], command[128];
  few_ctx *ctx = test_ctx();
  struct few_model_info info;
  assert_non_null(mkdtemp(root));
  snprintf(whole, sizeof whole, "%s/whole", root);
  snprintf(parts, sizeof parts, "%s/parts", root);
  assert_int_equal(train(&(struct asked){.at = -1}, whole), FEW_OK);
  struct asked asked = {.at = 2};
  assert_int_equal(train(&asked, parts), FEW_E_CANCELLED);
  assert_true(asked.stopped);
  assert_int_equal(train(&(struct asked){.at = -1}, parts), FEW_OK);
  few_model *a = model_of(ctx, whole), *b = model_of(ctx, parts);
  few_model_info(&info, sizeof info, a);
  assert_int_equal(info.step, 4);
  assert_memory_equal(few_model_values(a), few_model_values(b),
                      (size_t)info.parameters * sizeof(float));
  few_model_free(a);
  few_model_free(b);
  few_ctx_free(ctx);
  snprintf(command, sizeof command, "rm -rf %s", root);
  assert_int_equal(system(command), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_in_the_middle)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
