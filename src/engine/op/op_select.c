/* select - a where c != 0, else b; flat in c. The operand that is not selected may be NaN. */
#include "pointwise.h"

few_node few_select(few_graph *g, few_node c, few_node a, few_node b) {
  return few__op_node(g, FEW_OP_SELECT, 3, (few_node[]){c, a, b}, FEW_NO_ATTR);
}

static few_node zero(few_graph *g) { return few_fill(g, 0, FEW_SCALAR); }

static few_node jvp(few_graph *g, few_node self, const few_node *dx) {
  if (dx[1] == FEW_NONE && dx[2] == FEW_NONE) return FEW_NONE;
  struct few_node_data n = *few__node(g, self);
  few_node d = few_select(g, n.in[0], dx[1] == FEW_NONE ? zero(g) : dx[1],
                          dx[2] == FEW_NONE ? zero(g) : dx[2]);
  n.in[0] = d;
  return few__pass(g, &n, 0);
}

static void vjp(few_graph *g, few_node self, few_node dy, const bool *need, few_node *dx) {
  const struct few_node_data n = *few__node(g, self);
  if (need[1])
    dx[1] = few__unbroadcast(g, few_select(g, n.in[0], dy, zero(g)), few_node_shape(g, n.in[1]));
  if (need[2])
    dx[2] = few__unbroadcast(g, few_select(g, n.in[0], zero(g), dy), few_node_shape(g, n.in[2]));
}

static few_node example(few_graph *g, int k) {
  FEW_UNUSED(k);
  few_node a = few_input(g, "a", FEW_REAL, FEW_SHAPE(2, 2, 3));
  few_node b = few_input(g, "b", FEW_REAL, FEW_SHAPE(2, 1, 3));
  return few_select(g, few_less(g, a, few_fill(g, 0.3, FEW_SCALAR)), few_square(g, a), b);
}

const struct few_op_def few__op_select = {.name = "select",
                                          .arity = 3,
                                          .flags = FEW_OP_POINTWISE,
                                          .simplify = few__fold_pointwise,
                                          .jvp = jvp,
                                          .vjp = vjp,
                                          .example = example,
                                          .n_examples = 1};
