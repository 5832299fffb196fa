/* few_eval with its k-th allocation failing, for every k: the status is FEW_E_MEMORY and nothing
 * leaks. (libzip and jansson have allocators of their own.) */
#include "data/files.h"
#include "few/eval.h"
#include "few/model.h"
#include "io/npy.h"
#include "model/models.h"

struct counting {
  int calls, fail_at, live;
};

static void *counting_alloc(void *user, size_t size) {
  struct counting *c = user;
  if (c->calls++ == c->fail_at) return NULL;
  void *p = malloc(size);
  c->live += p != NULL;
  return p;
}

static void counting_release(void *user, void *p) {
  struct counting *c = user;
  c->live--;
  free(p);
}

static few_status evaluate(struct counting *c, const char *source, const char *reference) {
  struct few_ctx_opts o = FEW_CTX_OPTS_INIT;
  struct few_eval_opts e = FEW_EVAL_OPTS_INIT;
  struct few_eval_report *r = NULL;
  few_ctx *ctx = NULL;
  char *text = NULL;
  o.allocator = (struct few_allocator){c, counting_alloc, counting_release};
  o.workers = 1;
  few_status st = few_ctx_create(&ctx, &o);
  if (st) return st;
  e.source = source;
  e.reference = reference;
  e.n = 8;
  e.steps = 1;
  e.sampler = "ddim";
  e.subsets = 2;
  e.subset_size = 4;
  st = few_eval(ctx, &e, &r);
  if (!st) st = few_eval_json(ctx, r, &text);
  if (st && strlen(few_error(ctx)) < 10) fail_msg("allocation %d: no sentence", c->fail_at);
  few_text_free(ctx, text);
  few_eval_report_free(r);
  few_ctx_free(ctx);
  return st;
}

static void test_each_allocation_fails(void **state) {
  struct files *f = *state;
  const uint8_t pixels[8 * 8 * 8] = {1, 2, 3};
  few_model *m = test_model_new(f->ctx, TEST_UNET);
  const char *model = files_path(f, "m.safetensors"), *reference = files_path(f, "r.npy");
  assert_ok(f->ctx, few_model_save(m, model));
  few_model_free(m);
  assert_ok(f->ctx,
            few__npy_write(f->ctx, reference, FEW_STORE_U8, 4, (int64_t[]){8, 8, 8, 1}, pixels));
  struct counting c = {.fail_at = -1};
  assert_int_equal(evaluate(&c, model, reference), FEW_OK);
  assert_int_equal(c.live, 0);
  const int calls = c.calls;
  assert_true(calls > 100);
  for (int k = 0; k < calls; k++) {
    c = (struct counting){.fail_at = k};
    few_status st = evaluate(&c, model, reference);
    if (st != FEW_E_MEMORY) fail_msg("allocation %d of %d: %s", k, calls, few_status_name(st));
    if (c.live) fail_msg("allocation %d of %d: %d blocks leak", k, calls, c.live);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_each_allocation_fails, files_setup, files_teardown)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
