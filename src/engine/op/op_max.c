/* max, min - the larger and the smaller of a and b, broadcasting. */
#include "pointwise.h"

static few_node simplify(few_graph *g, const struct few_node_data *n) {
  return n->in[0] == n->in[1] ? n->in[0] : few__fold_pointwise(g, n);
}

/* 1 where the result is b, else 0. Where a and b are equal, the derivative is that of a. */
static few_node second_wins(few_graph *g, few_node self) {
  few_node a = few__node(g, self)->in[0], b = few__node(g, self)->in[1];
  return few__node(g, self)->op == FEW_OP_MAX ? few_less(g, a, b) : few_less(g, b, a);
}

static few_node jvp(few_graph *g, few_node self, const few_node *dx) {
  few_node w = second_wins(g, self);
  few_node da = dx[0] == FEW_NONE ? FEW_NONE : few_mul(g, few_affine(g, w, -1, 1), dx[0]);
  few_node db = dx[1] == FEW_NONE ? FEW_NONE : few_mul(g, w, dx[1]);
  return few__plus(g, da, db);
}

static void vjp(few_graph *g, few_node self, few_node dy, const bool *need, few_node *dx) {
  few_node in[2] = {few__node(g, self)->in[0], few__node(g, self)->in[1]};
  few_node w = second_wins(g, self);
  for (int k = 0; k < 2; k++) {
    if (!need[k]) continue;
    few_node won = k ? w : few_affine(g, w, -1, 1);
    dx[k] = few__unbroadcast(g, few_mul(g, dy, won), few_node_shape(g, in[k]));
  }
}

FEW_BINARY_OP(MAX, max)
FEW_BINARY_OP(MIN, min)
