/* Runs with a fake network. An update changes only the parameters of its phase. With every
 * balancer, the bits do not depend on the number of workers or on where a run was stopped. */
#include <unistd.h>

#include "few/train.h"
#include "updates.h"

#define LABELS "teacher=" FEW_TEST_DIR "/../models/toy-labels-teacher.safetensors"
#define RECIPE FEW_TEST_DIR "/../recipes/toy-vsd.ini"

/* sCD and DMD2 together, with a teacher that has labels. The student takes the guidance scale. */
static const char *const settings[] = {LABELS,           "objective=scd + vsd + adversarial",
                                       "labels=yes",     "guidance_max=3",
                                       "steps=9",        "batch=24",
                                       "shards=6",       "checkpoint_every=4",
                                       "log_every=3",    "preview_every=0",
                                       "fake_updates=2", "tangent_warmup=3"};
enum { N_SETTINGS = FEW_COUNT(settings), ROOM = N_SETTINGS + 2 };

static void options(struct few_train_opts *o, const char **room, const char *a, const char *b) {
  *o = (struct few_train_opts)FEW_TRAIN_OPTS_INIT;
  memcpy(room, settings, sizeof settings);
  room[N_SETTINGS] = a;
  room[N_SETTINGS + 1] = b;
  o->recipe = RECIPE;
  o->n_overrides = ROOM;
  o->overrides = room;
}

/* ---- which parameters an update changes ---- */

static int64_t differing(const float *a, const float *b, int64_t n) {
  int64_t count = 0;
  for (int64_t i = 0; i < n; i++) count += memcmp(a + i, b + i, sizeof *a) != 0;
  return count;
}

/* Makes one update of a phase. The parameters of the fake network and of its head begin at
 * `fake`. */
static void check_touched(struct updates *t, enum few_phase_id phase) {
  const struct few_networks w = updates_networks(t);
  const int64_t n = t->state.n, fake = few__fake_base(&w);
  const int64_t n_teacher = t->setup.teacher->params.total;
  float *before = malloc((size_t)n * sizeof *before);
  float *teacher = malloc((size_t)n_teacher * sizeof *teacher);
  memcpy(before, t->state.here.param, (size_t)n * sizeof *before);
  memcpy(teacher, t->setup.teacher->values, (size_t)n_teacher * sizeof *teacher);
  struct few_step_report report;
  const struct few_gradient grad = updates_step(t, phase, 4, &report);
  assert_true(isfinite(report.loss));
  few__update(&t->state, &t->setup.config, &grad, 1, 1e-3);
  const int64_t own = phase == FEW_PHASE_FAKE ? fake : 0;
  const int64_t other = phase == FEW_PHASE_FAKE ? 0 : fake;
  const int64_t n_fake = n - fake;
  const bool is_fake = phase == FEW_PHASE_FAKE;
  assert_true(differing(before + own, t->state.here.param + own, is_fake ? n_fake : fake) > 1000);
  assert_int_equal(differing(before + other, t->state.here.param + other, is_fake ? fake : n_fake),
                   0);
  assert_int_equal(differing(teacher, t->setup.teacher->values, n_teacher), 0);
  free(before);
  free(teacher);
}

static void test_updates_stay_in_their_range(void **state) {
  (void)state;
  struct updates t;
  updates_begin(&t, RECIPE, N_SETTINGS, settings, 2, few__backend_cpu());
  assert_true(t.setup.fake->spec.guidance && !t.setup.teacher->spec.guidance);
  assert_true(few__params_find(&t.fake_head, "discriminator.out.w") >= 0);
  assert_int_equal(few__params_find(&t.head, "discriminator.out.w"), -1);
  check_touched(&t, FEW_PHASE_STUDENT);
  check_touched(&t, FEW_PHASE_FAKE);
  updates_end(&t);
}

/* ---- dropout applies only to the network that a phase trains ---- */

enum who { NOBODY, STUDENT, FAKE };

static void set_dropout(struct updates *t, const struct few_net_def *net, void *opts) {
  assert_ok(t->ctx, few_option_set(opts, t->ctx, net->options, "dropout", "0"));
}

/* Returns the gradient of a phase, with dropout in both networks except those in `without`. */
static double *gradient(enum few_phase_id phase, enum who without, const char *more, int64_t *n) {
  const char *room[ROOM];
  struct updates t;
  struct few_step_report report;
  memcpy(room, settings, sizeof settings);
  room[N_SETTINGS] = "dropout=0.3";
  room[N_SETTINGS + 1] = more;
  updates_open(&t, RECIPE, ROOM, room);
  if (without == STUDENT) set_dropout(&t, t.setup.net, t.setup.net_opts);
  if (without == FAKE) set_dropout(&t, t.setup.fake->net, t.setup.fake->net_opts);
  updates_make(&t, 1, few__backend_cpu());
  const struct few_gradient g = updates_step(&t, phase, 4, &report);
  double *copy = malloc((size_t)g.n * sizeof *copy);
  for (int64_t i = 0; i < g.n; i++) copy[i] = (double)g.at[i];
  *n = g.n;
  updates_end(&t);
  return copy;
}

/* Which networks change the gradient of a phase when they have no dropout? */
static void check_dropout(enum few_phase_id phase, const char *objective, bool student, bool fake) {
  int64_t n, m;
  double *all = gradient(phase, NOBODY, objective, &n);
  for (int who = STUDENT; who <= FAKE; who++) {
    double *some = gradient(phase, (enum who)who, objective, &m);
    assert_int_equal(n, m);
    const bool same = !memcmp(all, some, (size_t)n * sizeof *all);
    assert_true(same != (who == STUDENT ? student : fake));
    free(some);
  }
  free(all);
}

static void test_dropout(void **state) {
  (void)state;
  static const char *const objectives[] = {"objective=scd + sid",
                                           "objective=scd + vsd + adversarial"};
  for (int i = 0; i < FEW_COUNT(objectives); i++) {
    check_dropout(FEW_PHASE_STUDENT, objectives[i], true, false);
    check_dropout(FEW_PHASE_FAKE, objectives[i], false, true);
  }
}

/* ---- the same bits ---- */

struct stop {
  int64_t at; /* 0: never */
};

static int stop_at(void *user, const struct few_progress *p) {
  const struct stop *s = user;
  return s->at && p->done == s->at && !strcmp(p->what, "training");
}

static void train(const char *dir, const char *name, const char *const own[2], int64_t stop) {
  struct stop at = {stop};
  struct few_ctx_opts co = FEW_CTX_OPTS_INIT;
  struct few_train_opts o;
  const char *room[ROOM];
  char run[128];
  few_ctx *ctx;
  options(&o, room, own[0], own[1]);
  snprintf(run, sizeof run, "%s/%s", dir, name);
  o.run = run;
  co.user = &at;
  co.progress = stop_at;
  assert_int_equal(few_ctx_create(&ctx, &co), FEW_OK);
  few_status st = few_train(ctx, &o);
  if (st != (stop ? FEW_E_CANCELLED : FEW_OK)) fail_msg("%s: %s", name, few_error(ctx));
  few_ctx_free(ctx);
}

/* Are the last checkpoints equal: student, heads, fake network, moments? */
static bool same(const char *dir, const char *a, const char *b) {
  char command[400];
  snprintf(command, sizeof command,
           "cmp -s %s/%s/interim-000000009.safetensors %s/%s/interim-000000009.safetensors", dir, a,
           dir, b);
  return system(command) == 0;
}

static void test_same_bits(void **state) {
  (void)state;
  static const char *const balances[] = {"fixed", "gradnorm", "minnorm", "primary"};
  char dir[] = "/tmp/few-fake-XXXXXX", clean[64];
  assert_non_null(mkdtemp(dir));
  for (int i = 0; i < FEW_COUNT(balances); i++) {
    char balance[32], many[32], stopped[32];
    snprintf(balance, sizeof balance, "balance=%s", balances[i]);
    snprintf(many, sizeof many, "%s-many", balances[i]);
    snprintf(stopped, sizeof stopped, "%s-stopped", balances[i]);
    train(dir, balances[i], (const char *[]){balance, "workers=1"}, 0);
    train(dir, many, (const char *[]){balance, "workers=3"}, 0);
    assert_true(same(dir, balances[i], many));
    train(dir, stopped, (const char *[]){balance, "workers=2"}, 3); /* between checkpoints */
    train(dir, stopped, (const char *[]){balance, "workers=1"}, 7);
    train(dir, stopped, (const char *[]){balance, "workers=2"}, 0);
    assert_true(same(dir, balances[i], stopped));
    for (int k = 0; k < i; k++) assert_false(same(dir, balances[k], balances[i]));
  }
  snprintf(clean, sizeof clean, "rm -r %s", dir);
  assert_int_equal(system(clean), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_updates_stay_in_their_range),
                                     cmocka_unit_test(test_dropout),
                                     cmocka_unit_test(test_same_bits)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
