/* Consistency on a grid of times, on the ring of Gaussians: how far is the one-step map from that
 * of the exact flow? Without a teacher's step (ct, ict, ect) the exact map is the target all the
 * same, as the step goes to zero. */
#include "toys.h"

/* One step from the prior. */
static double distance(struct toy *t) {
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  o.sampler = "consistency";
  o.steps = 1;
  return toy_flow_distance(t, &o);
}

/* Measured: 0.121, 0.301, 0.139, 0.138, 0.107. The teacher as it is has 1.0 in one step, and so
 * have students that learn nothing; the mean of all pictures has 0.9. */
static const struct {
  const char *recipe;
  const char *own[3]; /* overrides */
  double most;
} cases[] = {
    {"toy-cd", {NULL}, 0.18},
    {"toy-ct", {"s1=20", "mu0=0", NULL}, 0.45},
    {"toy-ict", {NULL}, 0.21},
    {"toy-ect", {NULL}, 0.21},
    {"toy-dscm", {"tangent_warmup=150", NULL}, 0.16},
};

static void test_grids(void **state) {
  (void)state;
  struct toy t = toy_begin();
  for (int i = 0; i < FEW_COUNT(cases); i++) {
    const char *overrides[10] = {TOY_TEACHER, "steps=600", "batch=256", "ema=10000",
                                 "preview_every=0"};
    for (int k = 0; cases[i].own[k]; k++) overrides[5 + k] = cases[i].own[k];
    toy_train(&t, cases[i].recipe, cases[i].recipe, overrides);
    const double d = distance(&t);
    printf("%s: rms distance to the exact flow, one step: %.3f sigma_d\n", cases[i].recipe, d);
    if (!(d < cases[i].most))
      fail_msg("%s: %.3f sigma_d, at most %.2f", cases[i].recipe, d, cases[i].most);
  }
  toy_end(&t);
}

/* The sum of squares of what a step without a learning rate leaves of a beginning, less the
 * teacher. */
static double from_teacher(struct toy *t, const char *init) {
  few_model *m, *teacher;
  double sum = 0;
  toy_train(t, "toy-ect", init,
            (const char *const[]){TOY_TEACHER, init, "steps=1", "lr=0", "batch=64", "ema=0",
                                  "preview_every=0", NULL});
  assert_ok(t->ctx, few_model_load(t->ctx, &m, t->model));
  assert_ok(t->ctx, few_model_load(t->ctx, &teacher, strchr(TOY_TEACHER, '=') + 1));
  assert_true(m->params.total == teacher->params.total);
  for (int64_t i = 0; i < m->params.total; i++) {
    const double d = (double)m->values[i] - (double)teacher->values[i];
    sum += d * d;
  }
  few_model_free(m);
  few_model_free(teacher);
  return sum;
}

static void test_init(void **state) {
  (void)state;
  struct toy t = toy_begin();
  assert_true(from_teacher(&t, "init=teacher") == 0);
  assert_true(from_teacher(&t, "init=fresh") > 1);
  toy_end(&t);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_init), cmocka_unit_test(test_grids)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
