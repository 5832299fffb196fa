/* Runs with a fake network: which numbers an update may touch, and that a run is the same to the
 * bit for any number of workers and wherever it was stopped. */
#include <unistd.h>

#include "base/rng.h"
#include "few/train.h"
#include "testing.h"
#include "train/shard.h"
#include "train/update.h"

#define LABELS "teacher=" FEW_TEST_DIR "/../models/toy-labels-teacher.safetensors"
#define RECIPE FEW_TEST_DIR "/../recipes/toy-vsd.ini"

/* DMD2 beside sCD on a teacher with labels, the student told how strong guidance is. */
static const char *const settings[] = {LABELS,           "objective=scd + vsd + adversarial",
                                       "labels=yes",     "guidance_max=3",
                                       "steps=9",        "batch=24",
                                       "shards=6",       "checkpoint_every=4",
                                       "log_every=3",    "preview_every=0",
                                       "fake_updates=2", "tangent_warmup=3"};
enum { N_SETTINGS = FEW_COUNT(settings), ROOM = N_SETTINGS + 1 };

static void options(struct few_train_opts *o, const char **room, const char *last) {
  *o = (struct few_train_opts)FEW_TRAIN_OPTS_INIT;
  memcpy(room, settings, sizeof settings);
  room[N_SETTINGS] = last;
  o->recipe = RECIPE;
  o->n_overrides = ROOM;
  o->overrides = room;
}

/* ---- what an update touches ---- */

struct run {
  few_ctx *ctx;
  struct few_run_recipe recipe;
  few_model *student;
  struct few_params head, fake_head;
  few_workers *workers;
  few_shards *shards;
  struct few_run_state state;
};

static void fill(void *user, const struct few_rows *rows) {
  (void)user;
  for (int64_t i = 0; i < rows->rows; i++) {
    struct few_rng r = {.row = (uint64_t)(rows->first + i), .purpose = FEW_RNG_CHECK};
    few__rng_normal_f32(&r, 2, rows->x + 2 * i);
    rows->label[i] = (int32_t)((rows->first + i) % 8);
  }
}

static struct few_networks networks(struct run *t) {
  return (struct few_networks){&t->recipe, t->student, &t->head, &t->fake_head};
}

static void begin(struct run *t) {
  struct few_train_opts o;
  const char *room[ROOM];
  *t = (struct run){.ctx = test_ctx()};
  options(&o, room, "workers=2");
  o.run = "/tmp/few-none";
  assert_ok(t->ctx, few__run_recipe_open(t->ctx, &t->recipe, &o));
  const struct few_run_recipe *r = &t->recipe;
  assert_ok(t->ctx, few__model_create(t->ctx, &t->student, r->net, r->net_opts, &r->spec, 1));
  assert_ok(t->ctx, few__workers_create(t->ctx, &t->workers, 2));
  struct few_shards_opts so = {.networks = networks(t),
                               .fill = fill,
                               .workers = t->workers,
                               .backend = few__backend_find("cpu")};
  assert_ok(t->ctx, few__shards_create(t->ctx, &t->shards, &so));
  const struct few_networks w = networks(t);
  const struct few_state_shape shape = {
      .n_model = t->student->params.total, .n = few__parameters(&w), .n_moments = r->optim->states};
  assert_ok(t->ctx, few__state_create(t->ctx, &t->state, &shape));
  struct few_rng rng = {.purpose = FEW_RNG_INIT};
  few__rng_normal_f32(&rng, shape.n, t->state.param);
  for (int64_t i = 0; i < shape.n; i++) t->state.param[i] *= 0.1f;
}

static void end(struct run *t) {
  few__shards_free(t->shards);
  few__state_free(t->ctx, &t->state);
  few__params_free(t->ctx, &t->head);
  few__params_free(t->ctx, &t->fake_head);
  few_model_free(t->student);
  few__workers_free(t->workers);
  few__run_recipe_close(t->ctx, &t->recipe);
  few_ctx_free(t->ctx);
}

static int64_t differing(const float *a, const float *b, int64_t n) {
  int64_t count = 0;
  for (int64_t i = 0; i < n; i++) count += memcmp(a + i, b + i, sizeof *a) != 0;
  return count;
}

/* One update of a phase; the fake network and its head begin at `fake`. */
static void check_touched(struct run *t, enum few_phase_id phase) {
  const struct few_networks w = networks(t);
  const int64_t n = t->state.n, fake = few__fake_base(&w);
  const int64_t n_teacher = t->recipe.teacher->params.total;
  float *before = malloc((size_t)n * sizeof *before);
  float *teacher = malloc((size_t)n_teacher * sizeof *teacher);
  memcpy(before, t->state.param, (size_t)n * sizeof *before);
  memcpy(teacher, t->recipe.teacher->values, (size_t)n_teacher * sizeof *teacher);
  const struct few_values v = {t->state.param, NULL};
  const struct few_clock at = few__run_clock(&t->recipe, 4, 1);
  struct few_gradient grad;
  struct few_step_report report;
  assert_ok(t->ctx, few__shards_step(t->shards, phase, &at, 4, &v, &grad, &report));
  assert_true(isfinite(report.loss));
  few__update(&t->state, &t->recipe, t->workers, &grad, 1, 1e-3);
  const int64_t own = phase == FEW_PHASE_FAKE ? fake : 0;
  const int64_t other = phase == FEW_PHASE_FAKE ? 0 : fake;
  const int64_t n_fake = n - fake;
  const bool is_fake = phase == FEW_PHASE_FAKE;
  assert_true(differing(before + own, t->state.param + own, is_fake ? n_fake : fake) > 1000);
  assert_int_equal(differing(before + other, t->state.param + other, is_fake ? fake : n_fake), 0);
  assert_int_equal(differing(teacher, t->recipe.teacher->values, n_teacher), 0);
  free(before);
  free(teacher);
}

static void test_updates_stay_in_their_range(void **state) {
  (void)state;
  struct run t;
  begin(&t);
  assert_true(t.recipe.fake->spec.guidance && !t.recipe.teacher->spec.guidance);
  assert_true(few__params_find(&t.fake_head, "discriminator.out.w") >= 0);
  assert_int_equal(few__params_find(&t.head, "discriminator.out.w"), -1);
  check_touched(&t, FEW_PHASE_STUDENT);
  check_touched(&t, FEW_PHASE_FAKE);
  end(&t);
}

/* ---- the same bits ---- */

struct stop {
  int64_t at;
};

static int stop_at(void *user, const struct few_progress *p) {
  const struct stop *s = user;
  return p->done == s->at && !strcmp(p->what, "training");
}

static void train(const char *dir, const char *name, const char *workers, int64_t stop) {
  struct stop at = {stop};
  struct few_ctx_opts co = FEW_CTX_OPTS_INIT;
  struct few_train_opts o;
  const char *room[ROOM];
  char run[128];
  few_ctx *ctx;
  options(&o, room, workers);
  snprintf(run, sizeof run, "%s/%s", dir, name);
  o.run = run;
  co.user = &at;
  co.progress = stop_at;
  assert_int_equal(few_ctx_create(&ctx, &co), FEW_OK);
  few_status st = few_train(ctx, &o);
  if (st != (stop ? FEW_E_CANCELLED : FEW_OK)) fail_msg("%s: %s", name, few_error(ctx));
  few_ctx_free(ctx);
}

/* The last checkpoint: student, heads, fake network, moments. */
static void check_same(const char *dir, const char *a, const char *b) {
  char command[400];
  snprintf(command, sizeof command,
           "cmp %s/%s/checkpoint-000000009.safetensors %s/%s/checkpoint-000000009.safetensors", dir,
           a, dir, b);
  assert_int_equal(system(command), 0);
}

static void test_same_bits(void **state) {
  (void)state;
  char dir[] = "/tmp/few-fake-XXXXXX", clean[64];
  assert_non_null(mkdtemp(dir));
  train(dir, "whole", "workers=1", 0);
  train(dir, "many", "workers=3", 0);
  check_same(dir, "whole", "many");
  train(dir, "stopped", "workers=2", 3); /* between checkpoints */
  train(dir, "stopped", "workers=1", 7);
  train(dir, "stopped", "workers=2", 0);
  check_same(dir, "whole", "stopped");
  snprintf(clean, sizeof clean, "rm -r %s", dir);
  assert_int_equal(system(clean), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_updates_stay_in_their_range),
                                     cmocka_unit_test(test_same_bits)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
