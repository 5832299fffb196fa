/* Compares the cross-entropy in the graph with its formula in C, and its gradient with softmax - q.
 */
#include "testing.h"

#include "diffusion/objective/objective.h"
#include "engine/plan/plan.h"

enum { ROWS = 3, CLASSES = 4, SIDE = 2 };
static const double logits[ROWS * CLASSES] = {0.5, -1, 2, 0, 30, 0, -30, 1, -2, -2, -2, -2};
static const int32_t labels[ROWS] = {2, 1, 0};

/* A network whose logits are an input. */
static few_node logits_node(few_graph *g) {
  return few_input(g, "logits", FEW_REAL, FEW_SHAPE(ROWS, CLASSES));
}

static few_node net(struct few_loss *l, enum few_role who, const struct few_net_input *in) {
  (void)who;
  assert_true(few_shape_equal(few_node_shape(l->g, in->x), FEW_SHAPE(ROWS, SIDE, SIDE, 1)));
  return logits_node(l->g);
}

static void softmax(const double *y, double *p) {
  double most = y[0], sum = 0;
  for (int k = 1; k < CLASSES; k++) most = fmax(most, y[k]);
  for (int k = 0; k < CLASSES; k++) sum += p[k] = exp(y[k] - most);
  for (int k = 0; k < CLASSES; k++) p[k] /= sum;
}

static void check(double smoothing) {
  few_ctx *ctx = test_ctx();
  few_graph *g;
  few_plan *plan;
  const struct few_net_spec spec = {
      .h = SIDE, .w = SIDE, .c = 1, .classes = CLASSES, .sigma_data = 0.5};
  assert_ok(ctx, few_graph_create(&g, ctx));
  struct few_loss l = {.g = g, .rows = ROWS, .spec = &spec, .net = net};
  l.x0 = few_input(g, "x", FEW_REAL, FEW_SHAPE(ROWS, SIDE, SIDE, 1));
  l.label = few_input(g, "label", FEW_INDEX, FEW_SHAPE(ROWS));
  few__objective_find(NULL, "classifier")->build(&l, &smoothing); /* its options are this number */
  few_node y = logits_node(g), out[2] = {l.term[0].value, FEW_NONE};
  assert_ok(ctx, few_grad(&out[1], g, l.term[0].value, 1, &y));
  struct few_planning_opts o = {.backend = few__backend_find("ref"), .real = FEW_F64};
  assert_ok(ctx, few__plan_create(ctx, &plan, g, &o, 2, out));
  const void *slots[4] = {0};
  for (int i = 0; i < few__plan_slots(plan); i++)
    slots[i] = strcmp(few__plan_slot(plan, i)->name, "label") ? (const void *)logits : labels;
  double loss, grad[ROWS * CLASSES], want = 0;
  void *arena = NULL, *const outs[2] = {&loss, grad};
  assert_int_equal(posix_memalign(&arena, 64, few__plan_arena(plan) + 64), 0);
  few__plan_replay(plan, arena, &(struct few_binding){.slots = slots, .outs = outs});
  for (int i = 0; i < ROWS; i++) {
    double p[CLASSES];
    softmax(logits + i * CLASSES, p);
    for (int k = 0; k < CLASSES; k++) {
      const double q = (1 - smoothing) * (labels[i] == k) + smoothing / CLASSES;
      want -= q * log(p[k]) / ROWS;
      /* the loss adds 1e-30 to p, which is at least e^-60 = 1e-26 */
      assert_close(grad[i * CLASSES + k], (p[k] - q) / ROWS, 2e-4);
    }
  }
  assert_close(loss, want, 2e-4);
  free(arena);
  few__plan_free(plan);
  few_graph_free(g);
  few_ctx_free(ctx);
}

static void test_loss(void **state) {
  (void)state;
  check(0);
  check(0.1);
}

static void test_no_labels(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_graph *g;
  const struct few_net_spec spec = {.h = SIDE, .w = SIDE, .c = 1, .sigma_data = 0.5};
  double smoothing = 0;
  assert_ok(ctx, few_graph_create(&g, ctx));
  struct few_loss l = {.g = g, .rows = ROWS, .spec = &spec, .net = net, .label = FEW_NONE};
  few__objective_find(NULL, "classifier")->build(&l, &smoothing);
  assert_int_equal(few_graph_status(g), FEW_E_INVALID);
  few_graph_free(g);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_loss), cmocka_unit_test(test_no_labels)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
