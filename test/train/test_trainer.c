/* Stepping a trainer gives the bits of few_train, whatever is called between the steps. Also
 * recipes from memory, and runs in memory. */
#include "testing.h"

#include "few/model.h"
#include "few/train.h"
#include "io/file.h"

enum { STEPS = 9 };
#define RECIPE FEW_TEST_DIR "/../recipes/toy-teacher.ini"
#define STUDENT FEW_TEST_DIR "/../recipes/toy-scd-vsd.ini"
#define TEACHER "teacher=" FEW_TEST_DIR "/../models/toy-teacher.safetensors"

static const char *const short_run[] = {"steps=9",     "batch=64",        "shards=2",
                                        "log_every=2", "preview_every=4", "checkpoint_every=4",
                                        TEACHER};

struct room {
  few_ctx *ctx;
  char dir[40], run[64];
};

static struct room room_open(void) {
  struct room r = {.ctx = test_ctx(), .dir = "/tmp/few-test-trainer-XXXXXX"};
  assert_non_null(mkdtemp(r.dir));
  return r;
}

static void room_close(struct room *r) {
  char command[80];
  snprintf(command, sizeof command, "rm -r %s", r->dir);
  assert_int_equal(system(command), 0);
  few_ctx_free(r->ctx);
}

static struct few_train_opts options(struct room *r, const char *recipe, const char *run) {
  struct few_train_opts o = FEW_TRAIN_OPTS_INIT;
  o.recipe = recipe;
  o.n_overrides = FEW_COUNT(short_run);
  o.overrides = short_run;
  if (!run) return o;
  snprintf(r->run, sizeof r->run, "%s/%s", r->dir, run);
  o.run = r->run;
  return o;
}

static few_model *saved(struct room *r, const char *run) {
  char path[128];
  few_model *m;
  snprintf(path, sizeof path, "%s/%s/model.safetensors", r->dir, run);
  assert_ok(r->ctx, few_model_load(&m, r->ctx, path));
  return m;
}

static void assert_same(few_model *a, few_model *b) {
  struct few_model_info x, y;
  few_model_info(&x, sizeof x, a);
  few_model_info(&y, sizeof y, b);
  assert_int_equal(x.step, y.step);
  assert_int_equal(x.parameters, y.parameters);
  assert_string_equal(x.sampler, y.sampler);
  assert_memory_equal(few_model_values(a), few_model_values(b),
                      (size_t)x.parameters * sizeof(float));
}

static few_model *reference(struct room *r, const char *recipe) {
  const struct few_train_opts o = options(r, recipe, "whole");
  assert_ok(r->ctx, few_train(r->ctx, &o));
  return saved(r, "whole");
}

static bool same_file(struct room *r, const char *a, const char *b, const char *name) {
  char command[300];
  snprintf(command, sizeof command, "cmp -s %s/%s/%s %s/%s/%s", r->dir, a, name, r->dir, b, name);
  return system(command) == 0;
}

/* Steps a trainer. Between steps it takes the model, saves the run and reads the report. In the
 * middle it closes the trainer and resumes it. */
static void walk(struct room *r, const struct few_train_opts *o, int64_t until) {
  few_trainer *t;
  few_model *m;
  assert_ok(r->ctx, few_trainer_open(&t, r->ctx, o));
  while (few_trainer_report(t)->step < until) {
    const int64_t before = few_trainer_report(t)->step;
    assert_false(few_trainer_done(t));
    assert_ok(r->ctx, few_trainer_step(t));
    const struct few_train_report *report = few_trainer_report(t);
    assert_int_equal(report->step, before + 1);
    assert_int_equal(report->steps, STEPS);
    assert_true(report->loss == report->loss && report->grad_norm > 0 && report->lr > 0);
    assert_null(report->event);
    for (int i = 0; i < report->n_metrics; i++)
      assert_true(report->metrics[i].value == report->metrics[i].value);
    if (report->step == 3 && o->run) assert_ok(r->ctx, few_trainer_save(t));
    assert_ok(r->ctx, few_trainer_model(&m, t));
    few_model_free(m);
  }
  if (until == STEPS) {
    assert_true(few_trainer_done(t));
    assert_int_equal(few_trainer_step(t), FEW_E_INVALID);
  } else if (o->run) {
    assert_ok(r->ctx, few_trainer_save(t));
  }
  few_trainer_close(t);
}

static void check_steps(const char *recipe) {
  struct room r = room_open();
  few_model *whole = reference(&r, recipe);
  const struct few_train_opts o = options(&r, recipe, "steps");
  walk(&r, &o, 5);
  walk(&r, &o, STEPS);
  few_model *m = saved(&r, "steps");
  assert_same(whole, m);
  assert_true(same_file(&r, "whole", "steps", "model.safetensors"));
  assert_true(same_file(&r, "whole", "steps", "interim-000000009.safetensors"));
  assert_true(same_file(&r, "whole", "steps", "preview-000000008.png"));
  few_model_free(m);
  few_model_free(whole);
  room_close(&r);
}

static void test_steps(void **state) {
  (void)state;
  check_steps(RECIPE);
  check_steps(STUDENT);
}

static void test_in_memory(void **state) {
  (void)state;
  struct room r = room_open();
  few_model *whole = reference(&r, RECIPE), *m;
  const struct few_train_opts o = options(&r, RECIPE, NULL);
  few_trainer *t;
  assert_int_equal(few_train(r.ctx, &o), FEW_E_INVALID);
  assert_ok(r.ctx, few_trainer_open(&t, r.ctx, &o));
  assert_true(isnan(few_trainer_report(t)->loss));
  while (!few_trainer_done(t)) assert_ok(r.ctx, few_trainer_step(t));
  assert_int_equal(few_trainer_save(t), FEW_E_INVALID);
  assert_ok(r.ctx, few_trainer_model(&m, t));
  few_trainer_close(t);
  assert_same(whole, m); /* and is still valid */
  few_model_free(m);
  few_model_free(whole);
  room_close(&r);
}

/* The lines of a recipe as pairs, as text, and as a file. */
static void test_recipe_from_memory(void **state) {
  (void)state;
  static const char *const pairs[] = {"data=toy:moons",  "net=mlp",  "width=16", "layers=2",
                                      "steps=6",         "batch=32", "shards=2", "lr=0.002",
                                      "preview_every=0", "ema=200",  "seed=5",   "log_every=3"};
  struct room r = room_open();
  char text[1000] = "# the same\n[run]\n", path[80], run[80];
  few_model *m[3];
  for (int i = 0; i < FEW_COUNT(pairs); i++) {
    strcat(text, pairs[i]);
    strcat(text, "\n");
  }
  snprintf(path, sizeof path, "%s/r.ini", r.dir);
  assert_ok(r.ctx, few__file_write(r.ctx, path, text, strlen(text)));
  for (int i = 0; i < 3; i++) {
    struct few_train_opts o = FEW_TRAIN_OPTS_INIT;
    const char name[] = {(char)('a' + i), 0};
    snprintf(run, sizeof run, "%s/%s", r.dir, name);
    o.run = run;
    if (i == 0) o.recipe = path;
    if (i == 1) o.text = text;
    if (i == 2) o.overrides = pairs;
    if (i == 2) o.n_overrides = FEW_COUNT(pairs);
    assert_ok(r.ctx, few_train(r.ctx, &o));
    m[i] = saved(&r, name);
    assert_same(m[0], m[i]);
    assert_true(same_file(&r, "a", name, "recipe.ini"));
  }
  for (int i = 0; i < 3; i++) few_model_free(m[i]);
  room_close(&r);
}

static void test_refused(void **state) {
  (void)state;
  struct room r = room_open();
  struct few_train_opts o = FEW_TRAIN_OPTS_INIT;
  few_trainer *t = (few_trainer *)&o;
  assert_int_equal(few_trainer_open(&t, r.ctx, &o), FEW_E_INVALID); /* no recipe at all */
  assert_null(t);
  o.recipe = RECIPE;
  o.text = "steps = 3";
  assert_int_equal(few_trainer_open(&t, r.ctx, &o), FEW_E_INVALID); /* two */
  o.recipe = NULL;
  o.text = "steps = 3\nstpes = 4";
  assert_int_equal(few_trainer_open(&t, r.ctx, &o), FEW_E_INVALID);
  o.version = 99;
  assert_int_equal(few_trainer_open(&t, r.ctx, &o), FEW_E_INVALID);
  assert_null(t);
  few_trainer_close(NULL);
  room_close(&r);
}

/* A second trainer in a directory is refused, because the two would remove each other's files. */
static void test_locked(void **state) {
  (void)state;
  struct room r = room_open();
  const struct few_train_opts o = options(&r, RECIPE, "run");
  few_trainer *a, *b;
  assert_ok(r.ctx, few_trainer_open(&a, r.ctx, &o));
  assert_int_equal(few_trainer_open(&b, r.ctx, &o), FEW_E_INVALID);
  few_trainer_close(a);
  assert_ok(r.ctx, few_trainer_open(&b, r.ctx, &o));
  few_trainer_close(b);
  room_close(&r);
}

/* Weights grow 99 times per step, and a run in memory has no checkpoint to go back to. */
static void test_diverged(void **state) {
  (void)state;
  static const char *const wild[] = {"steps=90",        "batch=64",    "shards=2",       "lr=10",
                                     "weight_decay=10", "lr_warmup=0", "preview_every=0"};
  struct room r = room_open();
  struct few_train_opts o = FEW_TRAIN_OPTS_INIT;
  few_trainer *t;
  few_status st = FEW_OK;
  o.recipe = RECIPE;
  o.overrides = wild;
  o.n_overrides = FEW_COUNT(wild);
  assert_ok(r.ctx, few_trainer_open(&t, r.ctx, &o));
  while (!st && !few_trainer_done(t)) st = few_trainer_step(t);
  few_trainer_close(t);
  assert_int_equal(st, FEW_E_DIVERGED);
  room_close(&r);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_steps),   cmocka_unit_test(test_in_memory),
      cmocka_unit_test(test_refused), cmocka_unit_test(test_recipe_from_memory),
      cmocka_unit_test(test_locked),  cmocka_unit_test(test_diverged)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
