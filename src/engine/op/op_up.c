/* up - double height and width: 4 x the transpose of down with the same taps, so that a constant
 * stays constant and [1,1]/2 is nearest neighbour. The builder is in op_down.c. */
#include "op.h"

static bool infer(few_graph *g, struct few_node_data *n) {
  n->shape = few_node_shape(g, n->in[0]);
  if (n->shape.rank != 4) {
    few__graph_fail(g, FEW_E_INVALID, "up: wants [N,H,W,C], got %s", few__shape_text(n->shape).at);
    return false;
  }
  n->shape.dim[1] *= 2;
  n->shape.dim[2] *= 2;
  return true;
}

static few_node jvp(few_graph *g, few_node self, const few_node *dx) {
  struct few_attr a = few__node(g, self)->attr;
  return few__op_node(g, FEW_OP_UP, 1, dx, &a);
}

static void vjp(few_graph *g, few_node self, few_node dy, const bool *need, few_node *dx) {
  FEW_UNUSED(need);
  struct few_attr a = few__node(g, self)->attr;
  dx[0] = few_scale(g, few__op_node(g, FEW_OP_DOWN, 1, &dy, &a), 4);
}

static few_node example(few_graph *g, int k) {
  few_node x = few_input(g, "a", FEW_REAL, FEW_SHAPE(1, 2, 3, 2));
  return few_up(g, x, k ? 4 : 2, (const double[]){1, k ? 3 : 1, 3, 1});
}

const struct few_op_def few__op_up = {.name = "up",
                                      .arity = 1,
                                      .infer = infer,
                                      .jvp = jvp,
                                      .vjp = vjp,
                                      .example = example,
                                      .n_examples = 2};
