/* Every allocation of a model's life fails in turn: an error each time, nothing leaked. */
#include "meter.h"
#include "models.h"

#include <unistd.h>

struct subject {
  int which;
  char path[64];
};

static few_status life(few_ctx *ctx, const struct subject *s) {
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  struct few_model_check checks[FEW_MODEL_CHECKS];
  few_model *m;
  char *text = NULL;
  double straight;
  float out[64];
  few_status st;
  o.n = 1;
  o.sampler = "heun";
  o.steps = 2;
  o.guidance = test_models[s->which].points ? 1 : 2;
  FEW_TRY(few_model_load(ctx, &m, s->path));
  if (s->which == TEST_MLP) {
    o.autoguide = m;
    o.autoguidance = 2;
  }
  FEW_GOTO(few_sample(m, &o, out, NULL, NULL));
  if (s->which == TEST_MLP) FEW_GOTO(few_model_straightness(m, &o, &straight));
  o.autoguide = NULL;
  o.guidance = 1;
  if (s->which != TEST_MAP) FEW_GOTO(few_encode(m, &o, out, NULL, out, NULL));
  FEW_GOTO(few_model_show(m, NULL, &text));
  if (s->which == TEST_MLP) FEW_GOTO(few_model_check(m, checks));
  FEW_GOTO(few_model_save(m, s->path));
  FEW_GOTO(few_model_metadata(m)[0] ? FEW_OK : FEW_E_MEMORY);
out:
  few_text_free(ctx, text);
  few_model_free(m);
  return st;
}

/* A schedule, fitted, written, read and used. */
static few_status fitting(few_ctx *ctx, const struct subject *s) {
  struct few_olss_opts f = FEW_OLSS_OPTS_INIT;
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  few_model *m;
  char path[80];
  float out[2];
  few_status st;
  snprintf(path, sizeof path, "%s.json", s->path);
  f.full = 3;
  f.steps = 2;
  o.n = 1;
  o.schedule = path;
  FEW_TRY(few_model_load(ctx, &m, s->path));
  FEW_GOTO(few_olss(m, &f, path, NULL));
  FEW_GOTO(few_sample(m, &o, out, NULL, NULL));
out:
  unlink(path);
  few_model_free(m);
  return st;
}

static void each_allocation(few_ctx *ctx, struct meter *meter, const struct subject *s,
                            few_status (*work)(few_ctx *, const struct subject *), long stride) {
  long live = meter->live, needed;
  meter->left = LONG_MAX;
  assert_ok(ctx, work(ctx, s));
  needed = LONG_MAX - meter->left;
  for (long k = 0; k < needed; k += stride) {
    meter->left = k;
    few_status st = work(ctx, s);
    if (st != FEW_E_MEMORY)
      fail_msg("%s, allocation %ld of %ld: %s: %s", test_models[s->which].net, k, needed,
               few_status_name(st), few_error(ctx));
    assert_int_equal(meter->live, live);
  }
}

static void test_life(void **state) {
  (void)state;
  struct meter meter = {0};
  struct few_ctx_opts opts = FEW_CTX_OPTS_INIT;
  struct subject s = {0};
  few_ctx *ctx;
  opts.allocator = (struct few_allocator){&meter, meter_alloc, meter_release};
  opts.workers = 2;
  char dir[] = "/tmp/few-test-memory-XXXXXX"; /* of its own: a writer lists the names beside it */
  assert_non_null(mkdtemp(dir));
  snprintf(s.path, sizeof s.path, "%s/m.safetensors", dir);
  for (s.which = 0; s.which < TEST_MODELS; s.which++) {
    meter.left = LONG_MAX;
    assert_int_equal(few_ctx_create(&ctx, &opts), FEW_OK);
    few_model *m = test_model_new(ctx, s.which);
    assert_ok(ctx, few_model_save(m, s.path));
    few_model_free(m);
    /* all of the small model's; of the others enough to meet every kind, as they take seconds */
    each_allocation(ctx, &meter, &s, life, s.which == TEST_MLP ? 1 : 7);
    if (s.which == TEST_MLP) each_allocation(ctx, &meter, &s, fitting, 1);
    few_ctx_free(ctx);
    assert_int_equal(meter.live, 0);
  }
  unlink(s.path);
  rmdir(dir);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_life)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
