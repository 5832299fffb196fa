/* Components added by a program: an objective, a network and a sampler that are copies of built-in
 * ones, under other names, train and sample with the same bits. Invalid definitions are refused.
 */
#include "diffusion/objective/objective.h"
#include "diffusion/sampler/sampler.h"
#include "few/component.h"
#include "toys.h"

struct added {
  struct toy t;
  struct few_objective_def objective;
  struct few_net_def net;
  struct few_sampler_def sampler;
};

static int setup(void **state) {
  struct added *a = calloc(1, sizeof *a);
  assert_non_null(a);
  a->t = toy_begin();
  a->objective = *few__objective_find(NULL, "diffusion");
  a->objective.name = "my-diffusion";
  a->net = *few__net_find(NULL, "mlp");
  a->net.name = "my-mlp";
  a->sampler = few__sampler_heun;
  a->sampler.name = "my-heun";
  *state = a;
  return 0;
}

static int teardown(void **state) {
  struct added *a = *state;
  toy_end(&a->t);
  free(a);
  return 0;
}

static void add_all(struct added *a) {
  a->objective.sampler = "my-heun";
  assert_ok(a->t.ctx, few_ctx_add_objective(a->t.ctx, &a->objective));
  assert_ok(a->t.ctx, few_ctx_add_net(a->t.ctx, &a->net));
  assert_ok(a->t.ctx, few_ctx_add_sampler(a->t.ctx, &a->sampler));
}

static few_model *trained(struct added *a, const char *run, const char *objective,
                          const char *net) {
  few_model *m;
  toy_train(&a->t, "toy-teacher", run,
            (const char *const[]){objective, net, "steps=6", "batch=64", "shards=2", "width=16",
                                  "preview_every=0", "checkpoint_every=3", NULL});
  assert_ok(a->t.ctx, few_model_load(&m, a->t.ctx, a->t.model));
  return m;
}

static void test_same_bits(void **state) {
  struct added *a = *state;
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  struct few_model_info info;
  float own[2 * 32], theirs[2 * 32];
  add_all(a);
  few_model *theirs_model = trained(a, "theirs", "objective=diffusion", "net=mlp");
  few_model *own_model = trained(a, "own", "objective=my-diffusion", "net=my-mlp");
  few_model_info(&info, sizeof info, own_model);
  assert_string_equal(info.net, "my-mlp");
  assert_string_equal(info.objective, "my-diffusion");
  assert_string_equal(info.sampler, "my-heun");
  assert_memory_equal(few_model_values(own_model), few_model_values(theirs_model),
                      (size_t)info.parameters * sizeof(float));
  o.n = 32;
  o.steps = 5;
  assert_ok(a->t.ctx, once_sample(own_model, &o, own, NULL, NULL));
  assert_ok(a->t.ctx, once_sample(theirs_model, &o, theirs, NULL, NULL));
  assert_memory_equal(own, theirs, sizeof own);
  few_model_free(own_model);
  few_model_free(theirs_model);
}

/* A context without the components cannot read the model; the error says what to do. */
static void test_other_context(void **state) {
  struct added *a = *state;
  few_model *m;
  add_all(a);
  few_model_free(trained(a, "own", "objective=my-diffusion", "net=my-mlp"));
  few_ctx *other = test_ctx();
  assert_int_equal(few_model_load(&m, other, a->t.model), FEW_E_UNSUPPORTED);
  assert_non_null(strstr(few_error(other), "my-mlp"));
  assert_non_null(strstr(few_error(other), "add the net"));
  assert_ok(other, few_ctx_add_net(other, &a->net));
  assert_ok(other, few_model_load(&m, other, a->t.model));
  few_model_free(m);
  few_ctx_free(other);
}

static void test_sampler_is_missing(void **state) {
  struct added *a = *state;
  struct few_train_opts o = FEW_TRAIN_OPTS_INIT;
  static const char *const keys[] = {"objective=my-diffusion", "steps=2"};
  a->objective.sampler = "not-there";
  assert_ok(a->t.ctx, few_ctx_add_objective(a->t.ctx, &a->objective));
  o.recipe = FEW_TEST_DIR "/../recipes/toy-teacher.ini";
  o.run = a->t.dir;
  o.overrides = keys;
  o.n_overrides = FEW_COUNT(keys);
  assert_int_equal(few_train(a->t.ctx, &o), FEW_E_INVALID);
  assert_non_null(strstr(few_error(a->t.ctx), "not-there"));
}

static void test_listed(void **state) {
  struct added *a = *state;
  static const enum few_component_kind kinds[] = {FEW_COMPONENT_OBJECTIVE, FEW_COMPONENT_NETWORK,
                                                  FEW_COMPONENT_SAMPLER};
  static const char *const names[] = {"my-diffusion", "my-mlp", "my-heun"};
  few_ctx *ctx = a->t.ctx;
  add_all(a);
  for (int k = 0; k < FEW_COUNT(kinds); k++) {
    const int n = few_component_count(NULL, kinds[k]);
    assert_int_equal(few_component_count(ctx, kinds[k]), n + 1);
    struct few_component c;
    assert_true(few_component(&c, sizeof c, ctx, kinds[k], n));
    assert_string_equal(c.name, names[k]);
    assert_non_null(c.options->key);
    assert_false(few_component(&c, sizeof c, NULL, kinds[k], n));
  }
}

#define REFUSED(add, def, sentence)                                                      \
  do {                                                                                   \
    assert_int_equal(add(ctx, def), FEW_E_INVALID);                                      \
    if (!strstr(few_error(ctx), sentence)) fail_msg("%s: %s", sentence, few_error(ctx)); \
  } while (0)

static void test_refused_objectives(void **state) {
  struct added *a = *state;
  few_ctx *ctx = a->t.ctx;
  struct few_objective_def d = a->objective;
  const int n = few_component_count(ctx, FEW_COMPONENT_OBJECTIVE);
  REFUSED(few_ctx_add_objective, NULL, "no definition");
  d.version = 0;
  REFUSED(few_ctx_add_objective, &d, "few_objective_def has version 0");
  d = a->objective, d.build = NULL;
  REFUSED(few_ctx_add_objective, &d, "`build` is NULL");
  d = a->objective, d.options = NULL;
  REFUSED(few_ctx_add_objective, &d, "`options` is NULL");
  d = a->objective, d.sampler = NULL;
  REFUSED(few_ctx_add_objective, &d, "`sampler` is NULL");
  d = a->objective, d.name = "scd";
  REFUSED(few_ctx_add_objective, &d, "scd exists already");
  d = a->objective, d.name = "a + b";
  REFUSED(few_ctx_add_objective, &d, "a-z");
  d = a->objective, d.options_size = 8;
  REFUSED(few_ctx_add_objective, &d, "options_size");
  d = a->objective, d.n_scalars = 1, d.schedule = NULL;
  REFUSED(few_ctx_add_objective, &d, "`schedule` is NULL");
  d = a->objective, d.n_scalars = FEW_MAX_SCALARS + 1,
  d.schedule = few__objective_find(NULL, "scd")->schedule;
  REFUSED(few_ctx_add_objective, &d, "n_scalars");
  d = a->objective, d.target = FEW_TARGET_AVERAGE, d.target_decay = NULL;
  REFUSED(few_ctx_add_objective, &d, "`target_decay` is NULL");
  d = a->objective, d.guides = d.needs_teacher = true;
  REFUSED(few_ctx_add_objective, &d, "FEW_GUIDANCE_OPTIONS");
  const struct few_option bad[] = {
      {"width", FEW_OPTION_INT, 0, sizeof(int64_t), "ten", 1, 9, NULL, "a number", NULL, false},
      FEW_OPT_END};
  d = a->objective, d.options = bad;
  REFUSED(few_ctx_add_objective, &d, "a default");
  assert_int_equal(few_component_count(ctx, FEW_COMPONENT_OBJECTIVE), n);
}

static void test_refused_others(void **state) {
  struct added *a = *state;
  few_ctx *ctx = a->t.ctx;
  struct few_net_def net = a->net;
  struct few_sampler_def s = a->sampler;
  net.version++;
  REFUSED(few_ctx_add_net, &net, "few_net_def has version 2");
  net = a->net, net.build = NULL;
  REFUSED(few_ctx_add_net, &net, "`build` is NULL");
  net = a->net, net.name = "unet";
  REFUSED(few_ctx_add_net, &net, "unet exists already");
  s.version++;
  REFUSED(few_ctx_add_sampler, &s, "few_sampler_def has version 2");
  s = a->sampler, s.run = NULL;
  REFUSED(few_ctx_add_sampler, &s, "`run` is NULL");
  s = a->sampler, s.name = "ddim";
  REFUSED(few_ctx_add_sampler, &s, "ddim exists already");
  s = a->sampler, s.schedule = "default";
  REFUSED(few_ctx_add_sampler, &s, "choose a schedule");
  s = a->sampler, s.evals_per_step = 0;
  REFUSED(few_ctx_add_sampler, &s, "evals_per_step");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_same_bits, setup, teardown),
      cmocka_unit_test_setup_teardown(test_other_context, setup, teardown),
      cmocka_unit_test_setup_teardown(test_sampler_is_missing, setup, teardown),
      cmocka_unit_test_setup_teardown(test_listed, setup, teardown),
      cmocka_unit_test_setup_teardown(test_refused_objectives, setup, teardown),
      cmocka_unit_test_setup_teardown(test_refused_others, setup, teardown)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
