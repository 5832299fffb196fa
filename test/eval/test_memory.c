/* The k-th allocation of few_eval fails, for every k: the status is FEW_E_MEMORY and nothing leaks.
 * (libzip and jansson have allocators of their own.) */
#include "data/files.h"
#include "few/eval.h"
#include "few/model.h"
#include "io/npy.h"
#include "meter.h"
#include "model/models.h"

static few_status evaluate(struct meter *c, const char *source, const char *reference,
                           const char *saved) {
  struct few_ctx_opts o = FEW_CTX_OPTS_INIT;
  struct few_eval_opts e = FEW_EVAL_OPTS_INIT;
  struct few_eval_report *r = NULL;
  few_ctx *ctx = NULL;
  char *text = NULL;
  o.allocator = (struct few_allocator){c, meter_alloc, meter_release};
  o.workers = 1;
  few_status st = few_ctx_create(&ctx, &o);
  if (st) return st;
  e.source = source;
  e.reference = reference;
  e.n = 8;
  e.sampling.steps = 1;
  e.sampling.sampler = "ddim";
  e.subsets = 2;
  e.subset_size = 4;
  e.bootstrap = 2;
  e.metrics = "fd,kid,pr";
  st = few_eval_save_reference(ctx, &e, saved);
  e.reference = saved;
  if (!st) st = few_eval(&r, ctx, &e);
  if (!st) st = few_eval_json(&text, ctx, r);
  if (st && strlen(few_error(ctx)) < 10) fail_msg("no sentence: %s", few_status_name(st));
  few_text_free(ctx, text);
  few_eval_report_free(r);
  few_ctx_free(ctx);
  return st;
}

static void test_each_allocation_fails(void **state) {
  struct files *f = *state;
  const uint8_t pixels[8 * 8 * 8] = {1, 2, 3};
  few_model *m = test_model_new(f->ctx, TEST_UNET);
  const char *model = files_path(f, "m.safetensors"), *images = files_path(f, "r.npy");
  const int32_t labels[8] = {1, 1, 0, 2, 1, 1, 2, 1};
  char reference[400];
  const char *saved = files_path(f, "r.safetensors");
  assert_ok(f->ctx, few_model_save(m, model));
  few_model_free(m);
  assert_ok(f->ctx,
            few__npy_write(f->ctx, images, FEW_STORE_U8, 4, (int64_t[]){8, 8, 8, 1}, pixels));
  assert_ok(f->ctx, few__npy_write(f->ctx, files_path(f, "l.npy"), FEW_STORE_I32, 1, (int64_t[]){8},
                                   labels));
  snprintf(reference, sizeof reference, "npy:%s,%s", images, files_path(f, "l.npy"));
  struct meter c = {.left = LONG_MAX};
  assert_int_equal(evaluate(&c, model, reference, saved), FEW_OK);
  assert_int_equal(c.live, 0);
  const long calls = LONG_MAX - c.left;
  assert_true(calls > 100);
  for (long k = 0; k < calls; k++) {
    c = (struct meter){.left = k, .once = true};
    few_status st = evaluate(&c, model, reference, saved);
    if (st != FEW_E_MEMORY) fail_msg("allocation %ld of %ld: %s", k, calls, few_status_name(st));
    if (c.live) fail_msg("allocation %ld of %ld: %ld blocks leak", k, calls, c.live);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_each_allocation_fails, files_setup, files_teardown)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
