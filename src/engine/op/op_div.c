/* div - a / b, broadcasting; slopes 1/b and -y/b. */
#include "pointwise.h"

static few_node simplify(few_graph *g, const struct few_node_data *n) {
  double v;
  if (!few__fill_value(g, n->in[1], &v) || v == 0) return few__fold_pointwise(g, n);
  return few_scale(g, few__pass(g, n, 0), 1 / v);
}

static few_node jvp(few_graph *g, few_node self, const few_node *dx) {
  few_node b = few__node(g, self)->in[1];
  few_node da = dx[0] == FEW_NONE ? FEW_NONE : few_div(g, dx[0], b);
  few_node db = dx[1] == FEW_NONE ? FEW_NONE : few_neg(g, few_mul(g, self, few_div(g, dx[1], b)));
  few_node d = few__plus(g, da, db);
  struct few_node_data n = *few__node(g, self);
  n.in[0] = d;
  return few__pass(g, &n, 0);
}

static void vjp(few_graph *g, few_node self, few_node dy, const bool *need, few_node *dx) {
  few_node a = few__node(g, self)->in[0], b = few__node(g, self)->in[1];
  few_node da = few_div(g, dy, b);
  if (need[0]) dx[0] = few__unbroadcast(g, da, few_node_shape(g, a));
  if (need[1]) dx[1] = few__unbroadcast(g, few_neg(g, few_mul(g, da, self)), few_node_shape(g, b));
}

FEW_BINARY_OP(DIV, div)
