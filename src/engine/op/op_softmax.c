/* softmax - over the last axis. J d = y (d - sum(y d)), symmetric. */
#include "op.h"

few_node few_softmax(few_graph *g, few_node x) {
  return few__op_node(g, FEW_OP_SOFTMAX, 1, &x, FEW_NO_ATTR);
}

static bool infer(few_graph *g, struct few_node_data *n) {
  n->shape = few_node_shape(g, n->in[0]);
  if (n->shape.rank >= 1) return true;
  few__graph_fail(g, FEW_E_INVALID, "softmax: a scalar has no last axis");
  return false;
}

static few_node along(few_graph *g, few_node y, few_node d) {
  struct few_shape s = few_node_shape(g, y);
  s.dim[s.rank - 1] = 1;
  return few_mul(g, y, few_sub(g, d, few_sum(g, few_mul(g, y, d), s)));
}

static few_node jvp(few_graph *g, few_node self, const few_node *dx) {
  return along(g, self, dx[0]);
}

static void vjp(few_graph *g, few_node self, few_node dy, const bool *need, few_node *dx) {
  FEW_UNUSED(need);
  dx[0] = along(g, self, dy);
}

static few_node example(few_graph *g, int k) {
  FEW_UNUSED(k);
  return few_softmax(g, few_input(g, "a", FEW_REAL, FEW_SHAPE(2, 3, 4)));
}

const struct few_op_def few__op_softmax = {.name = "softmax",
                                           .arity = 1,
                                           .infer = infer,
                                           .jvp = jvp,
                                           .vjp = vjp,
                                           .example = example,
                                           .n_examples = 1};
