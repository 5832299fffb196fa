/* Checks of every network in f64: its JVP and VJP, and those of its JVP, because sCM differentiates
 * a loss with a JVP inside. F is 0 at the start. Tracing a network twice gives the same node.
 * Labels of augmentation that are 0 have no effect. */
#include "testing.h"

#include "diffusion/net/net.h"
#include "few/check.h"
#include "few/plan.h"

struct small {
  const char *net;
  bool points;
  const char *settings[16][2];
  bool training;
};

static const struct small smalls[] = {
    {"mlp", true, {{"width", "6"}, {"layers", "2"}, {"embedding", "4"}}, false},
    {"mlp",
     true,
     {{"width", "6"},
      {"layers", "1"},
      {"embedding", "4"},
      {"modulation", "adagn"},
      {"time_embedding", "fourier"},
      {"time_transform", "log"}},
     false},
    {"mlp",
     true,
     {{"width", "6"}, {"layers", "1"}, {"embedding", "4"}, {"time_transform", "vp"}},
     false},
    {"mlp",
     true,
     {{"width", "6"}, {"layers", "1"}, {"embedding", "4"}, {"time_transform", "vp-linear"}},
     false},
    {"mlp",
     true,
     {{"width", "6"}, {"layers", "1"}, {"embedding", "4"}, {"time_transform", "flow"}},
     false},
    {"unet",
     false,
     {{"channels", "4"},
      {"mults", "1, 2"},
      {"blocks", "1"},
      {"attention", "2"},
      {"head_channels", "4"},
      {"groups", "2"},
      {"filter", "1331"},
      {"norm_eps", "1e-2"}},
     false},
    {"unet",
     false,
     {{"channels", "4"},
      {"mults", "1, 1"},
      {"blocks", "1"},
      {"resample", "conv"},
      {"groups", "2"},
      {"modulation", "adagn"},
      {"skip_scale", "1"},
      {"norm_eps", "1e-2"}},
     false},
    {"mlp", /* between two steps of the table, where its slope has no jump */
     true,
     {{"width", "6"},
      {"layers", "1"},
      {"embedding", "4"},
      {"time_transform", "ddpm"},
      {"time_scale", "0.002"}},
     false},
    {"unet", /* DDPM's, with channels that no one number divides */
     false,
     {{"channels", "4"},
      {"mults", "2, 3"},
      {"blocks", "1"},
      {"resample", "conv"},
      {"pad", "end"},
      {"groups", "2"},
      {"modulation", "add"},
      {"skip_scale", "1"},
      {"time_channels", "6"},
      {"freq_shift", "1"},
      {"norm_eps", "1e-2"}},
     false},
    {"unet", /* EDM's NCSN++ */
     false,
     {{"channels", "4"},
      {"in_channels", "2"},
      {"mults", "1, 1"},
      {"blocks", "1"},
      {"attention", "2"},
      {"attention_up", "last"},
      {"filter", "1331"},
      {"groups", "2"},
      {"modulation", "add"},
      {"time_embedding", "stored"},
      {"label_place", "hidden"},
      {"resample_proj", "yes"},
      {"encoder", "residual"},
      {"norm_eps", "1e-2"}},
     false},
    {"edm2",
     false,
     {{"channels", "4"},
      {"mults", "1, 2"},
      {"blocks", "1"},
      {"attention", "2"},
      {"head_channels", "4"},
      {"modulation", "adagn"},
      {"time_embedding", "stored"},
      {"time_transform", "log"}},
     false},
    {"edm2",
     false,
     {{"channels", "4"}, {"mults", "1"}, {"blocks", "1"}, {"clip_act", "0"}, {"attention", "1"}},
     false},
    {"dit",
     false,
     {{"patch", "2"},
      {"width", "8"},
      {"depth", "2"},
      {"heads", "2"},
      {"embedding", "4"},
      {"mlp_ratio", "2"}},
     false},
    {"uvit",
     false,
     {{"channels", "4"},
      {"mults", "1"},
      {"blocks", "2"},
      {"width", "8"},
      {"depth", "2"},
      {"heads", "2"},
      {"embedding", "4"},
      {"mlp_ratio", "2"},
      {"groups", "2"},
      {"norm_eps", "1e-2"}},
     false},
    {"uvit",
     false,
     {{"channels", "4"},
      {"patch", "2"},
      {"mults", "2"},
      {"blocks", "1"},
      {"width", "8"},
      {"depth", "1"},
      {"heads", "1"},
      {"embedding", "4"},
      {"filter", "1331"},
      {"norm_eps", "1e-2"}},
     false},
};

enum { AUGMENT = 3 };

static few_node trace_with(few_graph *g, struct few_params *params, const struct small *m,
                           few_node augment) {
  static union {
    double align;
    char bytes[4096];
  } opts;
  few_ctx *ctx = few__graph_ctx(g);
  const struct few_net_def *def = few__net_find(NULL, m->net);
  struct few_net_spec spec = {.h = m->points ? 1 : 4,
                              .w = m->points ? 1 : 4,
                              .c = m->points ? 2 : 1,
                              .points = m->points,
                              .classes = 3,
                              .guidance = true,
                              .step_size = FEW_STEP_SIZE_ANGLE,
                              .augment = AUGMENT,
                              .sigma_data = 0.5};
  assert_true(def->options_size <= sizeof opts);
  assert_ok(ctx, few_options_default(&opts, ctx, def->options));
  for (int i = 0; i < 16 && m->settings[i][0]; i++)
    assert_ok(ctx, few_option_set(&opts, ctx, def->options, m->settings[i][0], m->settings[i][1]));
  struct few_nn nn = {
      .g = g, .params = params, .prefix = "", .training = m->training, .middle = FEW_NONE};
  struct few_net_input in = {
      .x = few_input(g, "x", FEW_REAL, m->points ? FEW_SHAPE(2, 2) : FEW_SHAPE(2, 4, 4, 1)),
      .t = few_affine(g, few_tanh(g, few_input(g, "t", FEW_REAL, FEW_SHAPE(2))), 0.5, 0.8),
      .label = few_input(g, "label", FEW_INDEX, FEW_SHAPE(2)),
      .guidance = few_input(g, "guidance", FEW_REAL, FEW_SHAPE(2)),
      .step_size = few_input(g, "span", FEW_REAL, FEW_SHAPE(2)),
      .augment = augment,
  };
  few_node y = def->build(&nn, &spec, &opts, &in);
  assert_ok(ctx, few_graph_status(g));
  assert_true(few_shape_equal(few_node_shape(g, y), few_node_shape(g, in.x)));
  assert_true(nn.middle != FEW_NONE);
  return y;
}

static few_node trace(few_graph *g, struct few_params *params, const struct small *m) {
  return trace_with(g, params, m, few_input(g, "augment", FEW_REAL, FEW_SHAPE(2, AUGMENT)));
}

/* The error names the input that is missing. */
static void test_missing_input(void **state) {
  (void)state;
  static const char *const says[] = {"has a guidance scale", "has a step size"};
  const struct few_net_def *def = few__net_find(NULL, "mlp");
  _Alignas(8) char opts[1024];
  few_ctx *ctx = test_ctx();
  assert_true(def->options_size <= sizeof opts);
  assert_ok(ctx, few_options_default(opts, ctx, def->options));
  for (int i = 0; i < FEW_COUNT(says); i++) {
    const struct few_net_spec spec = {.h = 1,
                                      .w = 1,
                                      .c = 2,
                                      .points = true,
                                      .guidance = i == 0,
                                      .step_size = i ? FEW_STEP_SIZE_ANGLE : FEW_STEP_SIZE_NONE,
                                      .sigma_data = 0.5};
    struct few_params params = {0};
    few_graph *g;
    assert_ok(ctx, few_graph_create(&g, ctx));
    struct few_nn nn = {.g = g, .params = &params, .prefix = "", .middle = FEW_NONE};
    const struct few_net_input in =
        few_net_input_of(few_input(g, "x", FEW_REAL, FEW_SHAPE(2, 2)),
                         few_input(g, "t", FEW_REAL, FEW_SHAPE(2)), FEW_NONE);
    def->build(&nn, &spec, opts, &in);
    assert_int_equal(few_graph_status(g), FEW_E_INVALID);
    if (!strstr(few_error(ctx), says[i])) fail_msg("`%s`", few_error(ctx));
    few_graph_free(g);
    few__params_free(ctx, &params);
  }
  few_ctx_free(ctx);
}

static void test_derivatives(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  for (size_t i = 0; i < sizeof smalls / sizeof *smalls; i++) {
    few_graph *g;
    struct few_params params = {0};
    struct few_check_result r;
    assert_ok(ctx, few_graph_create(&g, ctx));
    few_node y = trace(g, &params, &smalls[i]);
    assert_ptr_equal((void *)(intptr_t)y, (void *)(intptr_t)trace(g, &params, &smalls[i]));
    /* h = 1e-5: rounding eps |f| / h = 2e-11 |f| relative to |Jd|; truncation h^2 f''' with third
     * derivatives of a few dozen composed layers: 1e-6 is far below a wrong rule's 1e-2. */
    assert_ok(ctx, few_check_derivatives(&r, g, y, 0, NULL, 0.5, 7));
    if (!(r.difference < 1e-6 && r.adjoint < 1e-11))
      fail_msg("%s (%zu): difference %.3g, adjoint %.3g", smalls[i].net, i, r.difference,
               r.adjoint);
    few_node x[2] = {few_input(g, "x", FEW_REAL, few_node_shape(g, y)),
                     few_input(g, "t", FEW_REAL, FEW_SHAPE(2))};
    few_node d[2] = {few_input(g, "dx", FEW_REAL, few_node_shape(g, y)),
                     few_input(g, "dt", FEW_REAL, FEW_SHAPE(2))};
    few_node dy;
    assert_ok(ctx, few_jvp(&dy, g, 1, &y, 2, x, d));
    few_node w[64];
    int n = 0;
    for (int k = 0; k < params.n && n < 64; k++)
      w[n++] = few_param(g, params.at[k].name, params.at[k].shape);
    assert_ok(ctx, few_check_derivatives(&r, g, dy, n, w, 0.5, 7));
    if (!(r.difference < 1e-6 && r.adjoint < 1e-11))
      fail_msg("tangent of %s (%zu): difference %.3g, adjoint %.3g", smalls[i].net, i, r.difference,
               r.adjoint);
    few_graph_free(g);
    few__params_free(ctx, &params);
  }
  few_ctx_free(ctx);
}

/* Numbers from -1 to 1, and labels 0 and 1. */
static void fill(const struct few_plan_array *a, double *out) {
  const int64_t n = few_shape_count(a->shape);
  if (a->type == FEW_INDEX)
    for (int64_t i = 0; i < n; i++) ((int32_t *)(void *)out)[i] = (int32_t)i;
  else
    for (int64_t i = 0; i < n; i++) out[i] = sin(1.7 * (double)(i + 1) + (double)strlen(a->name));
}

/* y[0 .. 2] of the network with random weights. */
static void evaluate(few_ctx *ctx, few_graph *g, const few_node *y, double (*out)[32]) {
  static const char *const names[] = {"none", "zero", "other"};
  double *values[256] = {NULL};
  struct few_plan_output outputs[3];
  struct few_plan_opts o = FEW_PLAN_OPTS_INIT;
  struct few_plan_array array;
  few_plan *plan;
  few_executor *e;
  for (int k = 0; k < 3; k++) outputs[k] = (struct few_plan_output){names[k], y[k]};
  o.backend = "ref";
  o.f64 = true;
  assert_ok(ctx, few_plan_create(&plan, g, 3, outputs, &o));
  assert_ok(ctx, few_executor_create(&e, ctx, plan));
  for (int i = 0; few_plan_array_at(&array, sizeof array, plan, i); i++) {
    assert_true(i < FEW_COUNT(values));
    if (array.kind == FEW_PLAN_OUTPUT) continue;
    values[i] = malloc((size_t)few_shape_count(array.shape) * sizeof **values);
    fill(&array, values[i]);
    assert_ok(ctx, few_executor_bind_input(e, array.name, values[i]));
  }
  for (int k = 0; k < 3; k++) assert_ok(ctx, few_executor_bind_output(e, names[k], out[k]));
  assert_ok(ctx, few_executor_run(e, NULL));
  few_executor_free(e);
  few_plan_free(plan);
  for (int i = 0; i < FEW_COUNT(values); i++) free(values[i]);
}

/* Sampling has no labels of augmentation, which is the same as zeros; other labels matter. */
static void test_augment(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  static const double ones[] = {1, 1, 1, 1, 1, 1};
  for (int i = 0; i < FEW_COUNT(smalls); i++) {
    few_graph *g;
    struct few_params params = {0};
    double out[3][32];
    assert_ok(ctx, few_graph_create(&g, ctx));
    const few_node zero = few_fill(g, 0, FEW_SHAPE(2, AUGMENT));
    const few_node other = few_const(g, FEW_SHAPE(2, AUGMENT), ones);
    const few_node y[] = {trace_with(g, &params, &smalls[i], FEW_NONE),
                          trace_with(g, &params, &smalls[i], zero),
                          trace_with(g, &params, &smalls[i], other)};
    const int64_t n = few_shape_count(few_node_shape(g, y[0]));
    assert_true(n <= 32);
    evaluate(ctx, g, y, out);
    double size = 0, off = 0;
    for (int64_t k = 0; k < n; k++) {
      assert_close(out[1][k], out[0][k], 1e-12 * fabs(out[0][k]));
      size += fabs(out[0][k]);
      off += fabs(out[2][k] - out[0][k]);
    }
    if (!(off > 1e-9 * size)) /* far above rounding */
      fail_msg("%s (%d): labels change it by %g of %g", smalls[i].net, i, off, size);
    few_graph_free(g);
    few__params_free(ctx, &params);
  }
  few_ctx_free(ctx);
}

/* dropout_side: masks of images (rank 4) and of their tokens (rank 3) only at low resolution. */
static void test_dropout_side(void **state) {
  (void)state;
  static const struct {
    struct small net;
    int tokens, low, high; /* masks of tokens, of sides 2 and 4 */
  } cases[] = {
      {{"uvit",
        false,
        {{"width", "8"},
         {"depth", "2"},
         {"heads", "2"},
         {"embedding", "4"},
         {"channels", "4"},
         {"mults", "1"},
         {"blocks", "1"},
         {"dropout", "0.5"},
         {"dropout_side", "2"}},
        true},
       2,
       1,
       0},
      {{"uvit",
        false,
        {{"width", "8"},
         {"depth", "2"},
         {"heads", "2"},
         {"embedding", "4"},
         {"channels", "4"},
         {"mults", "1"},
         {"blocks", "1"},
         {"dropout", "0.5"},
         {"dropout_side", "1"}},
        true},
       0,
       0,
       0},
      {{"unet",
        false,
        {{"channels", "4"},
         {"mults", "1, 1"},
         {"blocks", "1"},
         {"dropout", "0.5"},
         {"dropout_side", "2"}},
        true},
       0,
       6,
       0},
      {{"unet",
        false,
        {{"channels", "4"}, {"mults", "1, 1"}, {"blocks", "1"}, {"dropout", "0.5"}},
        true},
       0,
       6,
       4},
  };
  few_ctx *ctx = test_ctx();
  for (int i = 0; i < FEW_COUNT(cases); i++) {
    few_graph *g;
    struct few_params params = {0};
    int tokens = 0, sides[5] = {0};
    assert_ok(ctx, few_graph_create(&g, ctx));
    few_node y = trace(g, &params, &cases[i].net);
    for (few_node v = 0; v <= y; v++) {
      struct few_shape s = few_node_shape(g, v);
      if (strcmp(few_node_op(g, v), "randu") != 0) continue;
      if (s.rank == 3) tokens++;
      if (s.rank == 4) sides[s.dim[1]]++;
    }
    assert_int_equal(tokens, cases[i].tokens);
    assert_int_equal(sides[2], cases[i].low);
    assert_int_equal(sides[4], cases[i].high);
    few_graph_free(g);
    few__params_free(ctx, &params);
  }
  few_ctx_free(ctx);
}

static void test_option_tables(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  static union {
    double align;
    char bytes[4096];
  } opts;
  for (int i = 0; i < few__net_count(NULL); i++)
    assert_ok(ctx, few_options_default(&opts, ctx, few__net_at(NULL, i)->options));
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_derivatives),   cmocka_unit_test(test_missing_input),
      cmocka_unit_test(test_augment),       cmocka_unit_test(test_dropout_side),
      cmocka_unit_test(test_option_tables),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
