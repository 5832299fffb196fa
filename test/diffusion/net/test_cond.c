/* The embedding of the step size: its gain is the same as larger weights. */
#include "testing.h"

#include "base/rng.h"
#include "diffusion/net/net.h"
#include "engine/plan/plan.h"

enum { ROWS = 4, CHANNELS = 8, WIDTH = 6 };

static few_node embed(few_graph *g, struct few_params *params, const char *prefix, double gain) {
  const struct few_net_spec spec = {
      .h = 1, .w = 1, .c = 2, .points = true, .step_size = FEW_STEP_SIZE_ANGLE, .sigma_data = 0.5};
  const struct few_cond_opts o = {.time_scale = 1, .step_size_gain = gain};
  struct few_nn nn = {.g = g, .params = params, .prefix = prefix, .middle = FEW_NONE};
  struct few_net_input in =
      few_net_input_of(FEW_NONE, few_input(g, "t", FEW_REAL, FEW_SHAPE(ROWS)), FEW_NONE);
  in.step_size = few_input(g, "step", FEW_REAL, FEW_SHAPE(ROWS));
  return few_cond_embed(&nn, &spec, &o, &in, CHANNELS, WIDTH);
}

/* Fills a slot with numbers that depend on its name after the prefix. The weights of the step size
 * are 8 times as large in the second network. */
static void fill(double *out, int n, const char *name) {
  const bool second = !strncmp(name, "two:", 4);
  const char *rest = strchr(name, ':') ? strchr(name, ':') + 1 : name;
  uint64_t key = 0;
  for (const char *c = rest; *c; c++) key = key * 31 + (unsigned char)*c;
  for (int i = 0; i < n; i++) {
    out[i] = 0.1 + 1e-3 * (double)((key + 37 * (uint64_t)i) % 1000);
    if (second && strstr(rest, "span")) out[i] *= 8;
  }
}

static void test_gain(void **state) {
  (void)state;
  static double value[16][512];
  struct few_params params[2] = {0};
  few_ctx *ctx = test_ctx();
  few_graph *g;
  assert_ok(ctx, few_graph_create(&g, ctx));
  few_node e[2] = {embed(g, &params[0], "one:", 8), embed(g, &params[1], "two:", 1)};
  few_node plain = embed(g, &params[0], "one:", 1);
  few_node out[3] = {e[0], e[1], plain};
  assert_ok(ctx, few_graph_status(g));
  const struct few_planning_opts po = {.backend = few__backend_ref(), .real = FEW_F64};
  few_plan *plan;
  assert_ok(ctx, few__plan_create(ctx, &plan, g, &po, 3, out));
  const void *slots[16];
  assert_in_range(few__plan_slots(plan), 1, 16);
  int spans = 0;
  for (int i = 0; i < few__plan_slots(plan); i++) {
    const char *name = few__plan_slot(plan, i)->name;
    spans += strstr(name, "span") != NULL;
    fill(value[i], 512, name);
    slots[i] = value[i];
  }
  assert_int_equal(spans, 2);
  static double got[3][ROWS * WIDTH];
  void *outs[3] = {got[0], got[1], got[2]};
  void *arena = few__alloc(ctx, few__plan_arena(plan) + 64);
  few__plan_replay(plan, arena, &(struct few_binding){.slots = slots, .outs = outs});
  for (int i = 0; i < ROWS * WIDTH; i++) {
    assert_close(got[0][i], got[1][i], 1e-13); /* sums of 8 products in another order at most */
    assert_true(fabs(got[0][i] - got[2][i]) > 1e-3);
  }
  few__free(ctx, arena);
  few__plan_free(plan);
  few_graph_free(g);
  for (int i = 0; i < 2; i++) few__params_free(ctx, &params[i]);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_gain)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
