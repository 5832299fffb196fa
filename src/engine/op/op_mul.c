/* mul - a b, broadcasting. */
#include "pointwise.h"

static few_node simplify(few_graph *g, const struct few_node_data *n) {
  for (int k = 0; k < 2; k++) {
    double v;
    if (!few__fill_value(g, n->in[k], &v)) continue;
    if (v == 0) return few_fill(g, 0, n->shape);
    few_node x = few__pass(g, n, 1 - k);
    return few_scale(g, x, v);
  }
  return FEW_NONE;
}

static few_node jvp(few_graph *g, few_node self, const few_node *dx) {
  few_node a = few__node(g, self)->in[0], b = few__node(g, self)->in[1];
  few_node da = dx[0] == FEW_NONE ? FEW_NONE : few_mul(g, dx[0], b);
  few_node db = dx[1] == FEW_NONE ? FEW_NONE : few_mul(g, a, dx[1]);
  return few__plus(g, da, db);
}

static void vjp(few_graph *g, few_node self, few_node dy, const bool *need, few_node *dx) {
  few_node in[2] = {few__node(g, self)->in[0], few__node(g, self)->in[1]};
  for (int k = 0; k < 2; k++)
    if (need[k]) dx[k] = few__unbroadcast(g, few_mul(g, dy, in[1 - k]), few_node_shape(g, in[k]));
}

FEW_BINARY_OP(MUL, mul)
