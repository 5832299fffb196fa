/* Compares the U-Net and the DiT with the same networks in PyTorch, in value and tangent. Model
 * files contain PyTorch's results; torch_reference.py writes them.
 *
 * The small files are in float64. They are compared in f64 on the reference backend, which detects
 * every wrong factor, and in f32 on the backend that models use. FEW_TORCH_DIR=DIR compares the
 * full-size networks in that folder, in f32 on both sides.
 */
#include "testing.h"

#include "io/safetensors.h"
#include "model/model.h"

struct machine { /* a backend and a number type */
  const struct few_backend *backend;
  few_real real;
};

struct parity { /* a network, its tangent, and a file with both */
  few_ctx *ctx;
  few_model *model;
  few_graph *graph;
  struct few_st file;
  few_node out[2]; /* F, and its tangent along (dx, dt) */
};

static const struct few_st_tensor *tensor(const struct few_st *file, const char *name, bool param) {
  char full[128];
  snprintf(full, sizeof full, "%s%s", param ? "" : "reference/", name);
  const struct few_st_tensor *t = few__st_find(file, full);
  if (!t) fail_msg("the file has no %s", full);
  return t;
}

static double *numbers(const struct few_st_tensor *t) {
  double *v = test_malloc((size_t)t->count * sizeof *v);
  few__store_to_f64(t->store, t->data, t->count, v);
  return v;
}

static void open_parity(struct parity *p, const char *folder, const char *net) {
  char path[512];
  snprintf(path, sizeof path, "%s/torch_%s.safetensors", folder, net);
  *p = (struct parity){.ctx = test_ctx()};
  assert_ok(p->ctx, few_model_load(&p->model, p->ctx, path));
  assert_ok(p->ctx, few__st_read(p->ctx, &p->file, path, SIZE_MAX));
  assert_ok(p->ctx, few_graph_create(&p->graph, p->ctx));
  int64_t rows = tensor(&p->file, "t", false)->count;
  assert_ok(p->ctx, few_model_graph(&p->out[0], p->model, p->graph, rows));
  struct few_shape s = few_node_shape(p->graph, p->out[0]);
  few_graph *g = p->graph;
  few_node in[2] = {few_input(g, "x", FEW_REAL, s), few_input(g, "t", FEW_REAL, FEW_SHAPE(rows))};
  few_node d[2] = {few_input(g, "dx", FEW_REAL, s), few_input(g, "dt", FEW_REAL, FEW_SHAPE(rows))};
  assert_ok(p->ctx, few_jvp(&p->out[1], g, 1, &p->out[0], 2, in, d));
}

static void close_parity(struct parity *p) {
  few_graph_free(p->graph);
  few__st_free(p->ctx, &p->file);
  few_model_free(p->model);
  few_ctx_free(p->ctx);
}

/* A tensor of the file in the number type of the plan; free it with few__free. */
static void *operand(few_ctx *ctx, const struct few_st *file, const struct few_slot *s,
                     few_real real) {
  const struct few_st_tensor *t = tensor(file, s->name, s->param);
  assert_int_equal(t->count, few_shape_count(s->shape));
  void *v = few__alloc(ctx, (size_t)t->count * few__real_size(real));
  if (real == FEW_F64)
    few__store_to_f64(t->store, t->data, t->count, v);
  else
    few__store_to_f32(t->store, t->data, t->count, v);
  return v;
}

/* F and its tangent as f32 or f64. */
static void run(const struct parity *p, const struct machine *on, void *const out[2]) {
  const struct few_planning_opts opts = {.backend = on->backend, .real = on->real};
  few_plan *plan;
  assert_ok(p->ctx, few__plan_create(p->ctx, &plan, p->graph, &opts, 2, p->out));
  int n = few__plan_slots(plan);
  void **slots = test_calloc((size_t)n, sizeof *slots);
  for (int k = 0; k < n; k++)
    slots[k] = operand(p->ctx, &p->file, few__plan_slot(plan, k), on->real);
  void *arena = few__alloc(p->ctx, few__plan_arena(plan) + 1);
  few__plan_replay(plan, arena,
                   &(struct few_binding){.slots = (const void *const *)slots, .outs = out});
  few__free(p->ctx, arena);
  for (int k = 0; k < n; k++) few__free(p->ctx, slots[k]);
  test_free(slots);
  few__plan_free(plan);
}

/* Returns the largest difference that two computations of out[k] may have, in units of rounding
 * relative to 1 + its largest element. The error of a sum of n products is at most n units of the
 * size of its terms, that of another step one unit. Norms keep sizes near 1, so errors add. An
 * angle 1000 t is rounded twice before its sine is taken, with an error of 1000 t units each. Both
 * sides may have these errors. */
static double units(const struct parity *p, int k) {
  const few_graph *g = p->graph;
  const struct few_st_tensor *t = tensor(&p->file, "t", false);
  bool *live = test_calloc((size_t)few_graph_size(g), sizeof *live);
  double sum = 0, latest = 0, *times = numbers(t);
  few__model_reach(g, p->out[k], live);
  for (few_node v = 0; v < few_graph_size(g); v++) {
    const struct few_node_data *d = few__node(g, v);
    const struct few_op_def *def = few__op_def(d->op);
    if (!live[v]) continue;
    sum += def->flops ? def->flops(g, d) / (2 * (double)few_shape_count(d->shape)) : 1;
  }
  for (int64_t i = 0; i < t->count; i++) latest = fmax(latest, times[i]);
  test_free(times);
  test_free(live);
  return 2 * (sum + 2 * 1000 * latest);
}

static void compare(const char *what, const struct few_st_tensor *expected, const void *out,
                    few_real real, double bound) {
  double *theirs = numbers(expected), *ours = test_malloc((size_t)expected->count * sizeof *ours);
  double squares = 0, differences = 0, most = 0, size = 0;
  few__store_to_f64(real == FEW_F64 ? FEW_STORE_F64 : FEW_STORE_F32, out, expected->count, ours);
  for (int64_t i = 0; i < expected->count; i++) {
    double d = fabs(theirs[i] - ours[i]);
    if (isnan(d) || d > most) most = d;
    size = fmax(size, fabs(theirs[i]));
    squares += theirs[i] * theirs[i];
    differences += d * d;
  }
  double rms = sqrt(squares / (double)expected->count);
  print_message("%s rms %.3g; difference over it: rms %.1e, largest %.1e, allowed %.1e\n", what,
                rms, sqrt(differences / squares), most / rms, bound * (1 + size) / rms);
  assert_true(rms > 0);
  assert_close(most, 0, bound * (1 + size));
  test_free(theirs);
  test_free(ours);
}

static void against(const char *folder, const char *net, const struct machine *on) {
  struct parity p;
  open_parity(&p, folder, net);
  const struct few_st_tensor *expected[2] = {tensor(&p.file, "y", false),
                                             tensor(&p.file, "dy", false)};
  void *out[2];
  for (int k = 0; k < 2; k++) {
    assert_int_equal(expected[k]->count, few_shape_count(few_node_shape(p.graph, p.out[k])));
    out[k] = few__alloc(p.ctx, (size_t)expected[k]->count * few__real_size(on->real));
  }
  run(&p, on, out);
  for (int k = 0; k < 2; k++) {
    char what[64];
    snprintf(what, sizeof what, "%s %s, %s %s:", net, k ? "tangent" : "value", on->backend->name,
             on->real == FEW_F64 ? "f64" : "f32");
    double unit = on->real == FEW_F64 ? 0x1p-53 : 0x1p-24;
    compare(what, expected[k], out[k], on->real, unit * units(&p, k));
    few__free(p.ctx, out[k]);
  }
  close_parity(&p);
}

static void test_small(void **state) {
  (void)state;
  const struct machine machines[] = {{few__backend_ref(), FEW_F64}, {few__backend_cpu(), FEW_F32}};
  for (size_t i = 0; i < sizeof machines / sizeof *machines; i++) {
    against(FEW_TEST_DIR "/diffusion/net/data", "unet", &machines[i]);
    against(FEW_TEST_DIR "/diffusion/net/data", "dit", &machines[i]);
  }
}

static void test_full(void **state) {
  (void)state;
  const struct machine machine = {few__backend_cpu(), FEW_F32};
  const char *folder = getenv("FEW_TORCH_DIR");
  if (!folder) {
    print_message("skipped: give FEW_TORCH_DIR, made by torch_reference.py --full DIR\n");
    skip();
    return;
  }
  against(folder, "unet", &machine);
  against(folder, "dit", &machine);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_small),
      cmocka_unit_test(test_full),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
