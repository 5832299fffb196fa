/* Whole networks in bf16 on the processor, on every instruction set: F and its tangent stay within
 * the rounding of bf16 of those in fp32. bench/accuracy.py compares them with PyTorch's. */
#include "testing.h"

#include "base/rng.h"
#include "engine/backend/cpu/isa.h"
#include "model/model.h"

enum { N = 2, MAX_VALUES = N * 28 * 28, MAX_SLOTS = 512, TANGENT = 0, VALUE = 1, OUTS };

struct network {
  few_ctx *ctx;
  few_model *model;
  few_graph *graph;
  few_node out[OUTS];
  int64_t n; /* values of an output */
  float x[MAX_VALUES], dx[MAX_VALUES], t[N], dt[N];
  int32_t label[N];
};

static void open_network(struct network *w, const char *file, double t) {
  char path[512];
  snprintf(path, sizeof path, FEW_TEST_DIR "/%s.safetensors", file);
  memset(w, 0, sizeof *w);
  w->ctx = test_ctx();
  assert_ok(w->ctx, few_model_load(&w->model, w->ctx, path));
  assert_ok(w->ctx, few_graph_create(&w->graph, w->ctx));
  few_graph *g = w->graph;
  assert_ok(w->ctx, few_model_graph(&w->out[VALUE], w->model, g, N));
  const struct few_shape s = few_node_shape(g, w->out[VALUE]);
  const few_node x[2] = {few_input(g, "x", FEW_REAL, s), few_input(g, "t", FEW_REAL, FEW_SHAPE(N))};
  const few_node d[2] = {few_input(g, "dx", FEW_REAL, s),
                         few_input(g, "dt", FEW_REAL, FEW_SHAPE(N))};
  assert_ok(w->ctx, few_jvp(&w->out[TANGENT], g, 1, &w->out[VALUE], 2, x, d));
  w->n = few_shape_count(s);
  assert_true(w->n <= MAX_VALUES);
  few__rng_normal_f32(&(struct few_rng){.row = 1, .purpose = FEW_RNG_CHECK}, w->n, w->x);
  few__rng_normal_f32(&(struct few_rng){.row = 2, .purpose = FEW_RNG_CHECK}, w->n, w->dx);
  for (int64_t i = 0; i < w->n; i++) w->dx[i] *= (float)(cos(t) * sin(t));
  for (int i = 0; i < N; i++) {
    w->t[i] = (float)t;
    w->dt[i] = (float)(cos(t) * sin(t));
    w->label[i] = 3 + i;
  }
}

static void close_network(struct network *w) {
  few_graph_free(w->graph);
  few_model_free(w->model);
  few_ctx_free(w->ctx);
}

static const void *input(const struct network *w, const char *name) {
  return strcmp(name, "x") == 0    ? (const void *)w->x
         : strcmp(name, "dx") == 0 ? w->dx
         : strcmp(name, "t") == 0  ? w->t
         : strcmp(name, "dt") == 0 ? w->dt
                                   : (const void *)w->label;
}

static void compute(const struct network *w, few_isa isa, few_precision precision,
                    float out[OUTS][MAX_VALUES]) {
  const struct few_planning_opts opts = {
      .backend = few__backend_cpu_isa(isa), .real = FEW_F32, .precision = precision};
  const void *slots[MAX_SLOTS];
  few_plan *plan;
  assert_ok(w->ctx, few__plan_create(w->ctx, &plan, w->graph, &opts, OUTS, w->out));
  const int n = few__plan_slots(plan);
  assert_true(n <= MAX_SLOTS);
  for (int k = 0; k < n; k++) slots[k] = input(w, few__plan_slot(plan, k)->name);
  few__model_bind(w->model, plan, "", NULL, slots);
  void *arena = few__alloc(w->ctx, few__plan_arena(plan) + 64);
  assert_non_null(arena);
  few__plan_replay(
      plan, arena,
      &(struct few_binding){.slots = slots, .outs = (void *[]){out[TANGENT], out[VALUE]}});
  few__free(w->ctx, arena);
  few__plan_free(plan);
}

/* Returns a bound for the root mean square of the error, relative to the result. Every activation
 * is rounded at most once, and so are both factors of products, convolutions and attention. One
 * rounding to bf16 is at most 2^-9 of a number. Roundings are independent, so their squares add.
 * Networks with norms do not amplify errors. The root mean square of one rounding is only 2^-10.8,
 * so results are at about a third of the bound. */
static double bound_of(const struct network *w, few_node out) {
  const few_graph *g = w->graph;
  bool *live = test_calloc((size_t)few_graph_size(g), sizeof *live);
  int roundings = 0;
  few__model_reach(g, out, live);
  for (few_node v = 0; v < few_graph_size(g); v++) {
    const struct few_op_def *def = few__op_def(few__node(g, v)->op);
    if (!live[v] || few_node_shape(g, v).rank < 3 || def->flags & (FEW_OP_SOURCE | FEW_OP_VIEW))
      continue;
    roundings += def->flops ? 3 : 1;
  }
  test_free(live);
  return 0x1p-9 * sqrt(roundings);
}

static double apart(const float *a, const float *b, int64_t n) {
  double d = 0, size = 0;
  for (int64_t i = 0; i < n; i++) {
    d += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    size += (double)b[i] * (double)b[i];
  }
  return sqrt(d / size);
}

static void near_fp32(const char *file, double t) {
  static float whole[OUTS][MAX_VALUES], half[OUTS][MAX_VALUES];
  struct network w;
  open_network(&w, file, t);
  compute(&w, few__isa_used(), FEW_FP32, whole);
  for (few_isa isa = 0; isa < FEW_ISA_COUNT; isa++) {
    if (!few__isa_runs(isa)) continue;
    compute(&w, isa, FEW_BF16, half);
    for (int k = 0; k < OUTS; k++) {
      const double off = apart(half[k], whole[k], w.n), bound = bound_of(&w, w.out[k]);
      print_message("%s at %g, %s, %s: %.1e, allowed %.1e\n", file, t, k ? "F" : "dF",
                    few__isa_name(isa), off, bound);
      if (!(off > 1e-5 && off < bound)) fail_msg("%s: %.3g, allowed %.3g", file, off, bound);
    }
  }
  close_network(&w);
}

static void test_trained(void **state) {
  (void)state;
  near_fp32("../models/fashion-teacher", 0.8);
  near_fp32("../models/fashion-teacher", 1.5);
}

static void test_random(void **state) {
  (void)state;
  near_fp32("diffusion/net/data/torch_unet", 0.8);
  near_fp32("diffusion/net/data/torch_dit", 0.8);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_trained),
      cmocka_unit_test(test_random),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
