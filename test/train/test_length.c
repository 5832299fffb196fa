/* Some runs may be extended. They end with the bits of a run that had the new length from the
 * start. Extending any other run is refused, with a message that says what to do. Also runs that
 * start with the weights of a model. */
#include "io/file.h"
#include "io/safetensors.h"
#include "toys.h"

enum { ROOM = 20 };

/* A small run of `keys` in DIR/name. */
static few_status run(struct toy *t, const char *name, const char *const *keys) {
  char recipe[512], dir[128];
  const char *all[ROOM] = {TOY_TEACHER,         "batch=16",   "shards=2",
                           "preview_every=0",   "ema=100",    "checkpoint_every=3",
                           "lr_shape=constant", "lr_warmup=0"};
  struct few_train_opts o = FEW_TRAIN_OPTS_INIT;
  for (o.n_overrides = 8; *keys; keys++) all[o.n_overrides++] = *keys;
  snprintf(recipe, sizeof recipe, "%s/../recipes/toy-teacher.ini", FEW_TEST_DIR);
  snprintf(dir, sizeof dir, "%s/%s", t->dir, name);
  snprintf(t->model, sizeof t->model, "%s/model.safetensors", dir);
  o.recipe = recipe;
  o.run = dir;
  o.overrides = all;
  return few_train(t->ctx, &o);
}

static char *bytes_of(struct toy *t, const char *run, const char *file, size_t *n) {
  char path[700], *bytes;
  snprintf(path, sizeof path, "%s/%s/%s", t->dir, run, file);
  assert_ok(t->ctx, few__file_read(t->ctx, &bytes, n, path, (size_t)1 << 30));
  return bytes;
}

static void same_file(struct toy *t, const char *a, const char *b, const char *file) {
  size_t n, m;
  char *x = bytes_of(t, a, file, &n), *y = bytes_of(t, b, file, &m);
  assert_int_equal(n, m);
  assert_memory_equal(x, y, n);
  few__free(t->ctx, x);
  few__free(t->ctx, y);
}

/* A run that does not depend on its length: 4 steps extended to 9 equal a run of 9. */
static void test_longer(void **state) {
  (void)state;
  static const char *const all[][4] = {
      {"objective=scd", "tangent_warmup=3", "lr_warmup=6"},
      {"objective=shortcut", "labels=no"},
      {"objective=diffusion", "lr_shape=invsqrt", "lr_reference=2"},
      {"objective=diffusion", "lr_shape=cosine", "lr_floor=1"},
      {"objective=ect", "doublings=1"},
      {"objective=ict", "s0=20", "s1=39"},
      {"objective=progressive", "start=2", "end=2"},
      {"objective=vsd", "fake_updates=2", "beta1=0"},
      {"objective=direct", "pairs=64", "pairs_steps=2"},
  };
  struct toy t = toy_begin();
  for (int i = 0; i < FEW_COUNT(all); i++) {
    const char *const *k = all[i];
    char parts[24], whole[24];
    snprintf(parts, sizeof parts, "parts%d", i);
    snprintf(whole, sizeof whole, "whole%d", i);
    assert_ok(t.ctx, run(&t, parts, (const char *[]){"steps=4", k[0], k[1], k[2], NULL}));
    assert_ok(t.ctx, run(&t, parts, (const char *[]){"steps=9", k[0], k[1], k[2], NULL}));
    assert_ok(t.ctx, run(&t, whole, (const char *[]){"steps=9", k[0], k[1], k[2], NULL}));
    same_file(&t, parts, whole, "model.safetensors");
    same_file(&t, parts, whole, "checkpoint-000000009.safetensors");
    same_file(&t, parts, whole, "recipe.ini");
  }
  toy_end(&t);
}

/* A refusal does not change the run: the original command still finishes it. */
static void refused(struct toy *t, const char *name, const char *const *before,
                    const char *const *after, const char *says) {
  size_t n, m;
  assert_ok(t->ctx, run(t, name, before));
  char *recipe = bytes_of(t, name, "recipe.ini", &n), *now;
  char *model = bytes_of(t, name, "model.safetensors", &n);
  if (run(t, name, after) != FEW_E_INVALID) fail_msg("%s: not refused", name);
  if (!strstr(few_error(t->ctx), says)) fail_msg("`%s` does not say `%s`", few_error(t->ctx), says);
  now = bytes_of(t, name, "recipe.ini", &m);
  assert_string_equal(recipe, now);
  few__free(t->ctx, now);
  now = bytes_of(t, name, "model.safetensors", &m);
  assert_int_equal(n, m);
  assert_memory_equal(model, now, n);
  few__free(t->ctx, now);
  few__free(t->ctx, model);
  few__free(t->ctx, recipe);
  assert_ok(t->ctx, run(t, name, before));
}

static void test_refused(void **state) {
  (void)state;
  static const struct {
    const char *a, *b, *says;
  } all[] = {
      {"objective=diffusion", "lr_shape=linear", "learning rate (lr_shape = linear)"},
      {"objective=scd", "lr_shape=cosine", "further with init = "},
      {"objective=progressive", "start=4", "stage (objective progressive)"},
      {"objective=ct", "s1=20", "schedule (objective ct)"},
      {"objective=ict", "s1=40", "schedule (objective ict)"},
      {"objective=ect", "q=2", "schedule (objective ect)"},
      {"objective=scd + ect", "ect.q=2", "schedule (objective ect)"},
  };
  struct toy t = toy_begin();
  for (int i = 0; i < FEW_COUNT(all); i++) {
    char name[24];
    snprintf(name, sizeof name, "run%d", i);
    refused(&t, name, (const char *[]){"steps=6", all[i].a, all[i].b, NULL},
            (const char *[]){"steps=12", all[i].a, all[i].b, NULL}, all[i].says);
  }
  refused(&t, "shorter", (const char *[]){"steps=6", "objective=scd", NULL},
          (const char *[]){"steps=5", "objective=scd", NULL}, "has done 6 steps already");
  toy_end(&t);
}

/* ---- initial weights of a run ---- */

static float *tensor(struct toy *t, const char *run, const char *file, const char *name,
                     int64_t *n) {
  char path[700];
  struct few_st st;
  snprintf(path, sizeof path, "%s/%s/%s", t->dir, run, file);
  assert_ok(t->ctx, few__st_read(t->ctx, &st, path, (size_t)1 << 30));
  const struct few_st_tensor *x = few__st_find(&st, name);
  assert_non_null(x);
  *n = x->count;
  float *copy = malloc(x->bytes);
  memcpy(copy, x->data, x->bytes);
  few__st_free(t->ctx, &st);
  return copy;
}

/* The student's first weights are the model's, which are averaged ones. */
static void test_init(void **state) {
  (void)state;
  struct toy t = toy_begin();
  char init[700];
  int64_t n, m;
  assert_ok(t.ctx, run(&t, "first", (const char *[]){"steps=3", "objective=scd", NULL}));
  snprintf(init, sizeof init, "init=%s", t.model);
  const char *const further[] = {"steps=1", "objective=scd", "lr=0", init, NULL};
  assert_ok(t.ctx, run(&t, "further", further));
  float *a = tensor(&t, "first", "checkpoint-000000003.safetensors", "ema", &n);
  float *b = tensor(&t, "further", "checkpoint-000000000.safetensors", "ema", &m);
  assert_int_equal(n, m);
  assert_memory_equal(a, b, (size_t)n * sizeof *a);
  free(a);
  free(b);
  const char *const wide[] = {"steps=1", "objective=scd", "width=16", init, NULL};
  assert_int_equal(run(&t, "wide", wide), FEW_E_INVALID);
  assert_non_null(strstr(few_error(t.ctx), "give a model of the same net"));
  const char *const none[] = {"steps=1", "objective=scd", "init=nowhere", NULL};
  assert_int_equal(run(&t, "none", none), FEW_E_INVALID);
  assert_non_null(strstr(few_error(t.ctx), "give teacher, fresh, or a model"));
  const char *const self[] = {"steps=4", "objective=scd", init, NULL};
  assert_int_equal(run(&t, "first", self), FEW_E_INVALID);
  toy_end(&t);
}

/* Without a teacher the network and its options are those of `init`. */
static void test_init_options(void **state) {
  (void)state;
  struct toy t = toy_begin();
  char init[700];
  int64_t n, m;
  const char *const first[] = {
      "steps=1", "objective=diffusion", "teacher=", "embedding=16", "time_scale=0.5", NULL};
  assert_ok(t.ctx, run(&t, "small", first));
  snprintf(init, sizeof init, "init=%s", t.model);
  const char *const further[] = {"steps=1", "objective=diffusion", "teacher=", "net=", "lr=0", init,
                                 NULL};
  assert_ok(t.ctx, run(&t, "further", further));
  float *a = tensor(&t, "small", "interim-000000001.safetensors", "ema", &n);
  float *b = tensor(&t, "further", "checkpoint-000000000.safetensors", "ema", &m);
  assert_int_equal(n, m);
  assert_memory_equal(a, b, (size_t)n * sizeof *a);
  free(a);
  free(b);
  few_model *model;
  char *about;
  assert_ok(t.ctx, few_model_load(&model, t.ctx, t.model));
  assert_ok(t.ctx, few_model_metadata(&about, model));
  assert_non_null(strstr(about, "\"time_scale\":\"0.5\""));
  few_text_free(t.ctx, about);
  few_model_free(model);
  toy_end(&t);
}

/* ---- ct's target: target <- mu(k) target + (1 - mu(k)) student, k the step just made ---- */

static int stop_at_one(void *user, const struct few_progress *p) {
  (void)user;
  return p->done == 1 && !strcmp(p->what, "training");
}

static void test_target(void **state) {
  (void)state;
  struct toy t = toy_begin();
  struct few_ctx_opts co = FEW_CTX_OPTS_INIT;
  int64_t n;
  few_ctx_free(t.ctx);
  co.progress = stop_at_one;
  assert_int_equal(few_ctx_create(&t.ctx, &co), FEW_OK);
  const char *const keys[] = {
      "steps=4", "objective=ct", "checkpoint_every=1", "s0=2", "s1=150", "mu0=0.9", NULL};
  assert_int_equal(run(&t, "ct", keys), FEW_E_CANCELLED);
  float *before = tensor(&t, "ct", "checkpoint-000000000.safetensors", "target", &n);
  float *param = tensor(&t, "ct", "checkpoint-000000001.safetensors", "param", &n);
  float *target = tensor(&t, "ct", "checkpoint-000000001.safetensors", "target", &n);
  const double mu = 0.9; /* mu0^(s0/N), N(0) = s0 */
  double moved = 0;
  for (int64_t i = 0; i < n; i++) {
    const double b = (double)before[i], p = (double)param[i];
    /* two roundings of f32, of numbers of the size of b and p */
    assert_close((double)target[i], mu * b + (1 - mu) * p, 2e-7 * (fabs(b) + fabs(p)));
    moved = fmax(moved, fabs(p - b));
  }
  assert_true(moved > 1e-4); /* with mu(1) = 0.9973, N(1) = 76, it would be a fortieth of this */
  free(before);
  free(param);
  free(target);
  toy_end(&t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_longer), cmocka_unit_test(test_refused), cmocka_unit_test(test_init),
      cmocka_unit_test(test_init_options), cmocka_unit_test(test_target)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
