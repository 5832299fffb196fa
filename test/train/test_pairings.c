/* Every teacher can be combined with every student. Each objective that needs a teacher is run with
 * teachers of each prediction, with the time transforms of their processes. A few steps and the
 * student's samples must be finite; or the combination must be refused before the first step, with
 * a message that says what to change.
 * */
#include "diffusion/objective/objective.h"
#include "toys.h"

struct kind {
  const char *prediction, *time, *objective; /* and keys that train such a teacher */
};

static const struct kind kinds[] = {
    {"F", "identity", ""},        {"edm", "log", "process=edm"},
    {"x", "identity", ""},        {"eps", "vp-linear", "process=vp-linear"},
    {"v", "vp", "process=vp"},    {"flow", "flow", "process=flow"},
    {"both", "vp", "process=vp"},
};

/* Students that are evaluated at pure noise, where a prediction of eps does not determine F. */
static const char *const not_from_eps[] = {"shortcut", "meanflow", "flowmap"};

static void make_teacher(struct toy *t, const struct kind *k) {
  char prediction[32], time[48];
  snprintf(prediction, sizeof prediction, "prediction=%s", k->prediction);
  snprintf(time, sizeof time, "time_transform=%s", k->time);
  const char *const keys[] = {prediction,    time,
                              "width=16",    "layers=2",
                              "steps=5",     "batch=64",
                              "shards=2",    "labels=yes",
                              "ema=64",      "preview_every=0",
                              "adaptive=no", *k->objective ? k->objective : NULL,
                              NULL};
  toy_train(t, "toy-teacher", "teacher", keys);
}

static bool sampled_finite(struct toy *t) {
  static float x[2 * 64];
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  few_model *m;
  bool finite = true;
  assert_ok(t->ctx, few_model_load(&m, t->ctx, t->model));
  o.n = 64;
  assert_ok(t->ctx, once_sample(m, &o, x, NULL, NULL));
  for (int i = 0; i < FEW_COUNT(x); i++) finite &= (bool)isfinite((double)x[i]);
  few_model_free(m);
  return finite;
}

static bool refused(const struct kind *k, const char *objective) {
  if (strcmp(k->prediction, "eps") != 0) return false;
  for (int i = 0; i < FEW_COUNT(not_from_eps); i++)
    if (!strcmp(objective, not_from_eps[i])) return true;
  return false;
}

static void check(struct toy *t, const char *teacher, const struct kind *k, const char *objective) {
  char recipe[512], run[512];
  struct few_train_opts o = FEW_TRAIN_OPTS_INIT;
  char objective_is[64], teacher_is[640];
  snprintf(objective_is, sizeof objective_is, "objective=%s", objective);
  snprintf(teacher_is, sizeof teacher_is, "teacher=%s", teacher);
  const char *keys[] = {objective_is, teacher_is, "data=toy:mixture", "steps=8",
                        "batch=64",   "shards=2", "preview_every=0",  "guard_retries=0"};
  snprintf(recipe, sizeof recipe, "%s/student.ini", t->dir);
  snprintf(run, sizeof run, "%s/%s", t->dir, objective);
  snprintf(t->model, sizeof t->model, "%s/model.safetensors", run);
  FILE *f = fopen(recipe, "w");
  assert_non_null(f);
  fputs("[run]\n", f);
  assert_int_equal(fclose(f), 0);
  o.recipe = recipe;
  o.run = run;
  o.overrides = keys;
  o.n_overrides = FEW_COUNT(keys);
  const few_status st = few_train(t->ctx, &o);
  if (refused(k, objective)) {
    assert_int_equal(st, FEW_E_INVALID);
    assert_non_null(strstr(few_error(t->ctx), "eps"));
    return;
  }
  if (st) fail_msg("%s from a teacher of %s: %s", objective, k->prediction, few_error(t->ctx));
  if (!sampled_finite(t))
    fail_msg("%s from a teacher of %s draws what is not finite", objective, k->prediction);
}

static bool takes_teacher(const struct few_objective_def *d) {
  return !d->classifies && (d->needs_teacher || d->starts_as_teacher);
}

static void test_pairings(void **state) {
  (void)state;
  for (int i = 0; i < FEW_COUNT(kinds); i++) {
    struct toy t = toy_begin();
    char teacher[600];
    make_teacher(&t, &kinds[i]);
    snprintf(teacher, sizeof teacher, "%s", t.model);
    for (int k = 0; k < few__objective_count(NULL); k++)
      if (takes_teacher(few__objective_at(NULL, k)))
        check(&t, teacher, &kinds[i], few__objective_at(NULL, k)->name);
    toy_end(&t);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_pairings)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
