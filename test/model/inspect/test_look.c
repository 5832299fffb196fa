/* A model as text, and the derivative checker on it. */
#include "model/models.h"

static char *show(few_model *m, bool graph) {
  struct few_show_opts o = FEW_SHOW_OPTS_INIT;
  char *text;
  o.graph = graph;
  assert_ok(m->ctx, few_model_show(&text, m, &o));
  return text;
}

static void assert_says(const char *text, const char *part) {
  if (!strstr(text, part)) fail_msg("no \"%s\" in:\n%s", part, text);
}

/* The sums over the layers are those of the model, which the last line has. */
static void test_summary(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  for (int which = 0; which < TEST_MODELS; which++) {
    few_model *m = test_model_new(ctx, which);
    struct few_model_info info;
    char part[128], *text = show(m, false);
    few_model_info(&info, sizeof info, m);
    snprintf(part, sizeof part, "net         %s\n            ", info.net);
    assert_says(text, part);
    snprintf(part, sizeof part, "parameters  %lld\n", (long long)info.parameters);
    assert_says(text, part);
    snprintf(part, sizeof part, "%12lld %12.3f\n", (long long)info.parameters, info.flops / 1e6);
    assert_string_equal(text + strlen(text) - strlen(part), part);
    few_text_free(ctx, text);
    few_model_free(m);
  }
  few_ctx_free(ctx);
}

static void test_graph(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_model *m = test_model_new(ctx, TEST_UNET);
  char *text = show(m, true);
  assert_says(text, "\"x\"");
  assert_says(text, "conv");
  assert_says(text, "down.0.0");
  int lines = 0, params = 0;
  for (const char *p = text; (p = strchr(p, '\n')); p++) lines++;
  for (const char *p = text; (p = strstr(p, " param ")); p++) params++;
  assert_int_equal(params, m->params.n);
  assert_true(lines > params);
  few_text_free(ctx, text);
  struct few_show_opts o = FEW_SHOW_OPTS_INIT;
  o.rows = 0;
  assert_int_equal(few_model_show(&text, m, &o), FEW_E_INVALID);
  assert_null(text);
  few_text_free(ctx, NULL);
  few_model_free(m);
  few_ctx_free(ctx);
}

static void test_check(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  for (int which = 0; which < TEST_MODELS; which++) {
    few_model *m = test_model_new(ctx, which);
    struct few_model_check r[FEW_MODEL_CHECKS];
    assert_ok(ctx, few_model_check(r, sizeof *r, m));
    for (int i = 0; i < FEW_MODEL_CHECKS; i++)
      if (!r[i].ok || !(r[i].difference > 0))
        fail_msg("%s, %s: difference %.3g, adjoint %.3g", m->net->name, r[i].what, r[i].difference,
                 r[i].adjoint);
    few_model_free(m);
  }
  few_ctx_free(ctx);
}

struct seen {
  int reports, stop_at;
};
static int on_progress(void *user, const struct few_progress *p) {
  struct seen *s = user;
  assert_string_equal(p->what, "checking");
  assert_true(p->done == s->reports && p->total == FEW_MODEL_CHECKS);
  return s->reports++ == s->stop_at;
}

/* The derivative checker reports progress and can be cancelled. */
static void test_check_progress(void **state) {
  (void)state;
  struct seen seen = {0, -1};
  struct few_ctx_opts o = FEW_CTX_OPTS_INIT;
  o.user = &seen;
  o.progress = on_progress;
  few_ctx *ctx;
  assert_int_equal(few_ctx_create(&ctx, &o), FEW_OK);
  few_model *m = test_model_new(ctx, TEST_MLP);
  struct few_model_check r[FEW_MODEL_CHECKS];
  assert_ok(ctx, few_model_check(r, sizeof *r, m));
  assert_int_equal(seen.reports, FEW_MODEL_CHECKS + 1);
  seen = (struct seen){0, 1};
  assert_int_equal(few_model_check(r, sizeof *r, m), FEW_E_CANCELLED);
  few_model_free(m);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_summary),
      cmocka_unit_test(test_graph),
      cmocka_unit_test(test_check),
      cmocka_unit_test(test_check_progress),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
