/* loss_test.h - builds the loss of an objective as a graph and replays it in f64 on the reference
 * backend, so that a test can compare it with the formula in plain C. The student is a small mlp;
 * the test chooses the teacher. To read an intermediate value of the objective, a test builds the
 * same expression again, which gives the same node. */
#ifndef FEW_TEST_LOSS_TEST_H
#define FEW_TEST_LOSS_TEST_H

#include "diffusion/objective/objective.h"
#include "engine/plan/plan.h"
#include "testing.h"

enum { LOSS_ROWS = 64, LOSS_DIM = 2, LOSS_MAX_P = 32, LOSS_MAX_OUT = 16 };

struct loss_test {
  few_ctx *ctx;
  few_graph *g;
  struct few_net_spec spec, teacher_spec;
  struct few_params student, weights;
  struct few_nn head;
  _Alignas(8) char net_opts[1024];
  _Alignas(8) char opts[512];
  /* Any network except the student. */
  few_node (*teacher)(struct few_loss *l, const struct few_net_input *in);
  struct few_loss loss;
  few_node scalar[FEW_MAX_SCALARS];
  double scalar_value[FEW_MAX_SCALARS];
  double cot[LOSS_ROWS * LOSS_DIM]; /* bound to the input "cot" */
};

static few_node loss_student(struct few_loss *l, const struct few_net_input *in) {
  struct loss_test *t = l->user;
  struct few_nn nn = {.g = l->g, .params = &t->student, .prefix = "student:"};
  return few__net_find(NULL, "mlp")->build(&nn, &t->spec, t->net_opts, in);
}

static few_node loss_net(struct few_loss *l, enum few_role who, const struct few_net_input *in) {
  const struct loss_test *t = l->user;
  return who == FEW_STUDENT ? loss_student(l, in) : t->teacher(l, in);
}

static const struct few_objective_def *loss_begin(struct loss_test *t, const char *name,
                                                  const char *const settings[][2]) {
  const struct few_objective_def *def = few__objective_find(NULL, name);
  const struct few_net_def *mlp = few__net_find(NULL, "mlp");
  t->ctx = test_ctx();
  t->spec.points = t->teacher_spec.points = true;
  t->spec.h = t->spec.w = t->teacher_spec.h = t->teacher_spec.w = 1;
  t->spec.c = t->teacher_spec.c = LOSS_DIM;
  t->spec.sigma_data = t->teacher_spec.sigma_data = 0.5;
  assert_non_null(def);
  assert_true(mlp->options_size <= sizeof t->net_opts && def->options_size <= sizeof t->opts);
  assert_ok(t->ctx, few_options_default(t->net_opts, t->ctx, mlp->options));
  assert_ok(t->ctx, few_option_set(t->net_opts, t->ctx, mlp->options, "width", "6"));
  assert_ok(t->ctx, few_option_set(t->net_opts, t->ctx, mlp->options, "layers", "1"));
  assert_ok(t->ctx, few_options_default(t->opts, t->ctx, def->options));
  for (int i = 0; settings[i][0]; i++)
    assert_ok(t->ctx,
              few_option_set(t->opts, t->ctx, def->options, settings[i][0], settings[i][1]));
  assert_ok(t->ctx, few_graph_create(&t->g, t->ctx));
  t->head = (struct few_nn){.g = t->g, .params = &t->weights, .prefix = "head:"};
  t->loss = (struct few_loss){.g = t->g,
                              .rows = LOSS_ROWS,
                              .spec = &t->spec,
                              .teacher_spec = &t->teacher_spec,
                              .guidance_min = 1,
                              .guidance_max = t->spec.guidance ? 4 : 1, /* of the student's input */
                              .net = loss_net,
                              .head = &t->head,
                              .scalar = t->scalar,
                              .t = FEW_NONE,
                              .pair = FEW_NONE,
                              .pair_guidance = FEW_NONE,
                              .label = FEW_NONE,
                              .user = t};
  t->loss.x0 = few_input(t->g, "x", FEW_REAL, FEW_SHAPE(LOSS_ROWS, LOSS_DIM));
  if (def->pairs) t->loss.pair = few_input(t->g, "pair", FEW_REAL, FEW_SHAPE(LOSS_ROWS, LOSS_DIM));
  if (def->pairs && t->spec.guidance)
    t->loss.pair_guidance = few_input(t->g, "pair_guidance", FEW_REAL, FEW_SHAPE(LOSS_ROWS));
  if (t->spec.classes) t->loss.label = few_input(t->g, "label", FEW_INDEX, FEW_SHAPE(LOSS_ROWS));
  for (int i = 0; i < def->n_scalars; i++) {
    char scalar[24];
    snprintf(scalar, sizeof scalar, "scalar%d", i);
    t->scalar[i] = few_input(t->g, scalar, FEW_REAL, FEW_SCALAR);
  }
  if (def->guides) {
    const struct few_guidance_opts *of = (const void *)t->opts;
    t->loss.guidance_min = of->guidance_min;
    t->loss.guidance_max = of->guidance_max;
    t->spec.guidance = of->guidance_max > of->guidance_min;
  }
  def->build(&t->loss, t->opts);
  assert_ok(t->ctx, few_graph_status(t->g));
  return def;
}

static void loss_end(struct loss_test *t) {
  few__params_free(t->ctx, &t->student);
  few__params_free(t->ctx, &t->weights);
  few_graph_free(t->g);
  few_ctx_free(t->ctx);
}

/* Returns the numbers that the test gives for an input, or arbitrary fixed ones. */
static void *loss_feed(const struct loss_test *t, const struct few_slot *slot) {
  const int64_t n = few_shape_count(slot->shape);
  unsigned seed = 17;
  if (slot->type == FEW_INDEX) {
    int32_t *v = calloc((size_t)n, sizeof *v);
    for (int64_t k = 0; k < n; k++) v[k] = (int32_t)(k % (t->spec.classes + 1)) - 1;
    return v;
  }
  double *v = calloc((size_t)n, sizeof *v);
  for (const char *c = slot->name; *c; c++) seed = seed * 31 + (unsigned char)*c;
  for (int64_t k = 0; k < n; k++) v[k] = sin((double)(seed % 1000) + 2.7 * (double)k) * 0.6;
  if (!strncmp(slot->name, "scalar", 6)) v[0] = t->scalar_value[slot->name[6] - '0'];
  if (!strcmp(slot->name, "cot")) memcpy(v, t->cot, sizeof t->cot);
  return v;
}

/* Returns the values of n nodes, each in an array of its own. Free them with loss_values_free. */
static double **loss_values(struct loss_test *t, int n, const few_node *out) {
  struct few_planning_opts o = {.backend = few__backend_find("ref"), .real = FEW_F64};
  few_plan *plan;
  double **v = calloc((size_t)n, sizeof *v);
  for (int i = 0; i < n; i++)
    v[i] = calloc((size_t)few_shape_count(few_node_shape(t->g, out[i])), sizeof **v);
  assert_ok(t->ctx, few__plan_create(t->ctx, &plan, t->g, &o, n, out));
  const void *slots[LOSS_MAX_P];
  const int m = few__plan_slots(plan);
  assert_true(m <= LOSS_MAX_P);
  for (int i = 0; i < m; i++) slots[i] = loss_feed(t, few__plan_slot(plan, i));
  void *arena = NULL;
  assert_int_equal(posix_memalign(&arena, 64, few__plan_arena(plan) + 64), 0);
  few__plan_replay(
      plan, arena,
      &(struct few_binding){.slots = slots, .outs = (void *const *)v, .key = {.seed = 4}});
  for (int i = 0; i < m; i++) free((void *)(uintptr_t)slots[i]);
  free(arena);
  few__plan_free(plan);
  return v;
}

static void loss_values_free(int n, double **v) {
  for (int i = 0; i < n; i++) free(v[i]);
  free(v);
}

static few_node loss_sum(struct loss_test *t) {
  few_node sum = FEW_NONE;
  for (int i = 0; i < t->loss.n_terms; i++) {
    few_node v = few_scale(t->g, t->loss.term[i].value, t->loss.term[i].weight);
    sum = i ? few_add(t->g, sum, v) : v;
  }
  return sum;
}

/* Checks that the gradient with respect to the student's parameters is J_F^T dL/dF, with dL/dF
 * [rows][dim] from the test. So no other path of the loss propagates a gradient. */
static void loss_check_gradient(struct loss_test *t, few_node F, const double *dF, double tol) {
  few_node p[LOSS_MAX_P], out[2 * LOSS_MAX_P];
  const int n = t->student.n;
  assert_true(n > 0 && n <= LOSS_MAX_P);
  memcpy(t->cot, dF, sizeof t->cot);
  for (int i = 0; i < n; i++) {
    char name[160];
    snprintf(name, sizeof name, "student:%s", t->student.at[i].name);
    p[i] = few_param(t->g, name, t->student.at[i].shape);
  }
  few_node cot = few_input(t->g, "cot", FEW_REAL, few_node_shape(t->g, F));
  assert_ok(t->ctx, few_grad(out, t->g, loss_sum(t), n, p));
  assert_ok(t->ctx, few_vjp(out + n, t->g, 1, &F, &cot, n, p));
  double **v = loss_values(t, 2 * n, out), largest = 0;
  for (int i = 0; i < n; i++)
    for (int64_t k = 0; k < few_shape_count(t->student.at[i].shape); k++) {
      assert_close(v[i][k], v[n + i][k], tol * (1 + fabs(v[i][k])));
      largest = fmax(largest, fabs(v[i][k]));
    }
  assert_true(largest > 1e-4); /* the gradient is not zero */
  loss_values_free(2 * n, v);
}

#endif
