/* A run that is interrupted while its teacher makes pairs keeps the finished pairs, and makes the
 * rest when it is resumed. It ends with the bytes of an uninterrupted run. */
#include "io/safetensors.h"
#include "toys.h"
#include "train/pairs.h"

enum { PAIRS = 3000, FEW_PAIRS = 400 };

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
  struct few_st a;
  snprintf(path, sizeof path, "%s/%s/pairs-000000000.safetensors", t->dir, dir);
  assert_ok(t->ctx, few__st_read(t->ctx, &a, path, SIZE_MAX / 2));
  const int64_t n = a.at[0].dim[0];
  few__st_free(t->ctx, &a);
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
           t.dir, "model.safetensors", "model.safetensors", "pairs-000000000.safetensors",
           "pairs-000000000.safetensors");
  assert_int_equal(system(command), 0);
  /* After a bit flip the pairs are made again, with the same bytes. */
  char damaged[256];
  snprintf(damaged, sizeof damaged, "%s/parts/pairs-000000000.safetensors", t.dir);
  FILE *f = fopen(damaged, "r+b");
  assert_non_null(f);
  assert_int_equal(fseek(f, -10, SEEK_END), 0);
  const int c = fgetc(f);
  assert_int_equal(fseek(f, -10, SEEK_END), 0);
  assert_int_equal(fputc(c ^ 1, f), c ^ 1);
  assert_int_equal(fclose(f), 0);
  assert_int_not_equal(system(command), 0);
  assert_int_equal(run(&t, &w, "parts"), FEW_OK);
  assert_int_equal(system(command), 0);
  toy_end(&t);
}

/* ---- a teacher that takes a guidance scale ---- */

/* A teacher of random weights, sampled by `sampler`. */
static void guided_teacher(struct toy *t, char key[600], bool input, const char *sampler) {
  few_model *from, *to;
  char path[512];
  assert_ok(t->ctx, few_model_load(&from, t->ctx, strchr(TOY_LABELS_TEACHER, '=') + 1));
  struct few_net_spec spec = from->spec;
  spec.guidance = input;
  assert_ok(t->ctx, few__model_create(t->ctx, &to, from->net, from->net_opts, &spec, 3));
  snprintf(to->objective, sizeof to->objective, "guided");
  snprintf(to->sampler, sizeof to->sampler, "%s", sampler);
  to->data_mean = from->data_mean;
  to->data_scale = from->data_scale;
  to->guidance_max = input ? 4 : 1;
  for (int64_t i = 0; i < to->params.total; i++) /* no layer is zero */
    few__model_write(to)[i] += 0.05f * (float)sin(7. * (double)i);
  snprintf(path, sizeof path, "%s/teacher.safetensors", t->dir);
  snprintf(key, 600, "teacher=%s", path);
  assert_ok(t->ctx, few_model_save(to, path));
  few_model_free(from);
  few_model_free(to);
}

static few_status open_recipe(struct toy *t, struct few_setup *r, const char *const *keys) {
  struct few_train_opts o = FEW_TRAIN_OPTS_INIT;
  o.recipe = FEW_TEST_DIR "/../recipes/toy-direct.ini";
  o.run = "/tmp/few-none";
  while (keys[o.n_overrides]) o.n_overrides++;
  o.overrides = (const char **)(uintptr_t)keys;
  return few__setup_open(t->ctx, r, &o);
}

/* Checks that pair i is the one that few_sample makes, for a class and guidance scale s. */
static void check_pair(struct toy *t, const struct few_setup *r, int64_t i, int label, double s,
                       const float *x) {
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  const few_model *m = r->teacher;
  float y[TOY_D];
  o.first = i;
  o.steps = 4;
  o.label = label;
  o.guidance = s;
  o.seed = (uint64_t)r->config.keys.seed;
  assert_ok(t->ctx, once_sample(r->teacher, &o, y, NULL, NULL));
  for (int k = 0; k < TOY_D; k++)
    assert_close((double)x[k], (float)(((double)y[k] - m->data_mean) * m->data_scale), 0);
}

/* The image of each pair was made with a guidance scale of its own, uniform in the teacher's range.
 * Pairs that are read from files are the same. */
static void test_scales(void **state) {
  (void)state;
  static float x[FEW_PAIRS * TOY_D], z[FEW_PAIRS * TOY_D], s[FEW_PAIRS], again[FEW_PAIRS];
  static int32_t label[FEW_PAIRS];
  struct toy t = toy_begin();
  struct few_setup r;
  struct few_pairs *p;
  char teacher[600];
  double least = 9, most = 0, sum = 0;
  guided_teacher(&t, teacher, true, "heun");
  const char *const keys[] = {teacher, "labels=yes", "pairs=400", "pairs_steps=4", "net=mlp", NULL};
  assert_ok(t.ctx, open_recipe(&t, &r, keys));
  assert_true(r.spec.guidance);
  assert_ok(t.ctx, few__pairs_open(t.ctx, &p, &r, t.dir));
  struct few_rows rows = {.rows = FEW_PAIRS, .x = x, .label = label, .pair = z, .guidance = s};
  few__pairs_fill(p, 1, 0, &rows);
  few__pairs_close(p);
  for (int i = 0; i < FEW_PAIRS; i++) {
    const int64_t number = few__rng_permute(1, 0, i, FEW_PAIRS);
    if (i < 20) check_pair(&t, &r, number, label[i], (double)s[i], x + i * TOY_D);
    least = fmin(least, (double)s[i]);
    most = fmax(most, (double)s[i]);
    sum += (double)s[i] / FEW_PAIRS;
  }
  assert_true(least >= 1 && least < 1.1 && most <= 4 && most > 3.9);
  assert_close(sum, 2.5, 5 * 3 / sqrt(12. * FEW_PAIRS));   /* five standard errors */
  assert_ok(t.ctx, few__pairs_open(t.ctx, &p, &r, t.dir)); /* from the file */
  rows.guidance = again;
  few__pairs_fill(p, 1, 0, &rows);
  few__pairs_close(p);
  assert_memory_equal(s, again, sizeof s);
  few__setup_close(t.ctx, &r);
  toy_end(&t);
}

/* With one scale for all pairs the student learns that scale and takes none as an input. */
static void test_one_scale(void **state) {
  (void)state;
  struct toy t = toy_begin();
  struct few_setup r;
  char teacher[600];
  guided_teacher(&t, teacher, true, "heun");
  const char *const keys[] = {teacher, "labels=yes", "pairs_guidance=3", "net=mlp", NULL};
  assert_ok(t.ctx, open_recipe(&t, &r, keys));
  assert_false(r.spec.guidance);
  assert_close(r.guidance_min, 3, 0);
  assert_close(r.guidance_max, 3, 0);
  few__setup_close(t.ctx, &r);
  const char *const much[] = {teacher, "labels=yes", "pairs_guidance=5", "net=mlp", NULL};
  assert_int_equal(open_recipe(&t, &r, much), FEW_E_INVALID);
  assert_non_null(strstr(few_error(t.ctx), "was trained for guidance 1 to 4, not 5"));
  toy_end(&t);
}

/* A sampler that adds noise is refused, since that noise would be in the image but not in the
 * pair. */
static void test_fresh_noise(void **state) {
  (void)state;
  struct toy t = toy_begin();
  struct few_setup r;
  char teacher[600];
  guided_teacher(&t, teacher, false, "consistency");
  const char *const two[] = {teacher, "labels=yes", "pairs_steps=2", "net=mlp", NULL};
  assert_int_equal(open_recipe(&t, &r, two), FEW_E_INVALID);
  assert_non_null(strstr(few_error(t.ctx), "fresh noise"));
  assert_non_null(strstr(few_error(t.ctx), "give pairs_steps = 1"));
  const char *const one[] = {teacher, "labels=yes", "pairs_steps=1", "net=mlp", NULL};
  assert_ok(t.ctx, open_recipe(&t, &r, one));
  few__setup_close(t.ctx, &r);
  toy_end(&t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_interrupted), cmocka_unit_test(test_scales),
      cmocka_unit_test(test_one_scale), cmocka_unit_test(test_fresh_noise)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
