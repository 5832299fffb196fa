/* Makes each allocation of the calls on a model fail in turn: the result is an error, without a
 * leak. */
#include "meter.h"
#include "models.h"

#include <unistd.h>

#include "few/export.h"

struct subject {
  int which;
  char path[64];
};

static few_status life(few_ctx *ctx, const struct subject *s) {
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  struct few_model_check checks[FEW_MODEL_CHECKS];
  few_model *m, *with = NULL;
  few_runner *r = NULL;
  char *text = NULL, *json = NULL;
  double straight;
  float out[64];
  few_status st;
  o.n = 1;
  o.sampler = "heun";
  o.steps = 2;
  o.guidance = test_models[s->which].points ? 1 : 2;
  FEW_TRY(few_model_load(&m, ctx, s->path));
  FEW_GOTO(few_runner_create(&r, ctx, m));
  if (s->which == TEST_MLP) {
    o.autoguide = r;
    o.autoguidance = 2;
  }
  FEW_GOTO(few_sample(out, NULL, NULL, r, &o));
  if (s->which == TEST_MLP) FEW_GOTO(few_model_straightness(&straight, r, &o));
  o.autoguide = NULL;
  o.guidance = 1;
  if (s->which != TEST_MAP) FEW_GOTO(few_encode(out, NULL, r, &o, out, NULL));
  FEW_GOTO(few_model_show(&text, m, NULL));
  if (s->which == TEST_MLP) FEW_GOTO(few_model_check(checks, sizeof *checks, m));
  FEW_GOTO(few_model_save(m, s->path));
  FEW_GOTO(few_model_metadata(&json, m));
  FEW_GOTO(few_model_with_times(&with, m, 2, (double[]){1.5, 1}));
out:
  few_text_free(ctx, text);
  few_text_free(ctx, json);
  few_runner_free(r);
  if (s->which == TEST_MLP) { /* in either order */
    few_model_free(m);
    m = NULL;
  }
  few_model_free(with);
  few_model_free(m);
  return st;
}

/* A schedule is fitted, written, read and used. */
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
  FEW_TRY(few_model_load(&m, ctx, s->path));
  FEW_GOTO(once_olss(m, &f, path, NULL));
  FEW_GOTO(once_sample(m, &o, out, NULL, NULL));
out:
  unlink(path);
  few_model_free(m);
  return st;
}

static few_status exporting(few_ctx *ctx, const struct subject *s) {
  struct few_sample_opts o = FEW_SAMPLE_OPTS_INIT;
  struct few_export_opts e = FEW_EXPORT_OPTS_INIT;
  few_model *m;
  char path[80], *about = NULL;
  few_status st;
  snprintf(path, sizeof path, "%s.onnx", s->path);
  o.steps = 2;
  e.sampling = &o;
  FEW_TRY(few_model_load(&m, ctx, s->path));
  FEW_GOTO(few_export_onnx(&about, ctx, m, path, &e));
out:
  few_text_free(ctx, about);
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
  char dir[] =
      "/tmp/few-test-memory-XXXXXX"; /* a folder of its own: a writer lists all names in it */
  assert_non_null(mkdtemp(dir));
  snprintf(s.path, sizeof s.path, "%s/m.safetensors", dir);
  for (s.which = 0; s.which < TEST_MODELS; s.which++) {
    meter.left = LONG_MAX;
    assert_int_equal(few_ctx_create(&ctx, &opts), FEW_OK);
    few_model *m = test_model_new(ctx, s.which);
    assert_ok(ctx, few_model_save(m, s.path));
    few_model_free(m);
    /* all allocations of the small model; of the others, which take seconds, enough for every
     * kind */
    each_allocation(ctx, &meter, &s, life, s.which == TEST_MLP ? 1 : 7);
    if (s.which == TEST_MLP) each_allocation(ctx, &meter, &s, fitting, 1);
    if (s.which != TEST_MAP)
      each_allocation(ctx, &meter, &s, exporting, s.which == TEST_MLP ? 7 : 301);
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
