/* The classifier: its derivatives in f64; its logits, a linear map of the features that shares
 * their nodes; and what it refuses. */
#include "testing.h"

#include "diffusion/net/net.h"
#include "few/check.h"

struct tracing {
  few_graph *g;
  struct few_params params;
  struct few_nn nn;
  struct few_net_spec spec;
  union {
    double align;
    char bytes[4096];
  } opts;
};

static void begin(few_ctx *ctx, struct tracing *t, int64_t side, int64_t classes) {
  const struct few_net_def *def = few__net_find(NULL, "convnet");
  *t = (struct tracing){
      .spec = {.h = side, .w = side, .c = 2, .classes = classes, .sigma_data = 0.5}};
  assert_true(def->options_size <= sizeof t->opts);
  assert_ok(ctx, few_graph_create(&t->g, ctx));
  assert_ok(ctx, few_options_default(&t->opts, ctx, def->options));
  assert_ok(ctx, few_option_set(&t->opts, ctx, def->options, "channels", "4, 4, 8"));
  assert_ok(ctx, few_option_set(&t->opts, ctx, def->options, "group_channels", "2"));
  t->nn = (struct few_nn){.g = t->g, .params = &t->params, .prefix = ""};
}

static void end(few_ctx *ctx, struct tracing *t) {
  few_graph_free(t->g);
  few__params_free(ctx, &t->params);
}

static struct few_net_input input(struct tracing *t) {
  few_node x = few_input(t->g, "x", FEW_REAL, FEW_SHAPE(2, t->spec.h, t->spec.w, t->spec.c));
  return few_net_input_of(x, FEW_NONE, FEW_NONE);
}

static void test_derivatives(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  const struct few_net_def *def = few__net_find(NULL, "convnet");
  struct tracing t;
  struct few_check_result r;
  begin(ctx, &t, 8, 3);
  const struct few_net_input in = input(&t);
  few_node f = def->features(&t.nn, &t.spec, &t.opts, &in);
  int before = few_graph_size(t.g);
  few_node y = def->build(&t.nn, &t.spec, &t.opts, &in);
  assert_ok(ctx, few_graph_status(t.g));
  assert_true(few_shape_equal(few_node_shape(t.g, f), FEW_SHAPE(2, 8)));
  assert_true(few_shape_equal(few_node_shape(t.g, y), FEW_SHAPE(2, 3)));
  assert_true(few_graph_size(t.g) - before <= 5); /* w, b, their product, sum and a reshape */
  /* The bound is that of test_nets.c: h = 1e-5, a few dozen composed layers. */
  few_node w[64];
  int n = 0;
  w[n++] = in.x;
  for (int k = 0; k < t.params.n; k++)
    w[n++] = few_param(t.g, t.params.at[k].name, t.params.at[k].shape);
  assert_ok(ctx, few_check_derivatives(&r, t.g, y, n, w, 0.5, 7));
  if (!(r.difference < 1e-6 && r.adjoint < 1e-11))
    fail_msg("difference %.3g, adjoint %.3g", r.difference, r.adjoint);
  end(ctx, &t);
  few_ctx_free(ctx);
}

static void refuse(int64_t side, int64_t classes, const char *word) {
  few_ctx *ctx = test_ctx();
  struct tracing t;
  begin(ctx, &t, side, classes);
  const struct few_net_input in = input(&t);
  few__net_find(NULL, "convnet")->build(&t.nn, &t.spec, &t.opts, &in);
  assert_int_equal(few_graph_status(t.g), FEW_E_INVALID);
  assert_non_null(strstr(few_error(ctx), word));
  end(ctx, &t);
  few_ctx_free(ctx);
}

static void test_refused(void **state) {
  (void)state;
  refuse(6, 3, "multiples of 4");
  refuse(8, 0, "labelled data");
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_derivatives),
                                     cmocka_unit_test(test_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
