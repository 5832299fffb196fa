/* sub - a - b, broadcasting. */
#include "pointwise.h"

static few_node simplify(few_graph *g, const struct few_node_data *n) {
  double v;
  if (few__fill_value(g, n->in[1], &v)) {
    if (v == 0) return few__pass(g, n, 0);
    if (few_shape_equal(few_node_shape(g, n->in[0]), n->shape))
      return few_affine(g, n->in[0], 1, -v);
  }
  if (few__fill_value(g, n->in[0], &v) && few_shape_equal(few_node_shape(g, n->in[1]), n->shape))
    return few_affine(g, n->in[1], -1, v);
  return few__fold_pointwise(g, n);
}

static few_node jvp(few_graph *g, few_node self, const few_node *dx) {
  struct few_node_data n = *few__node(g, self);
  few_node d = dx[0];
  if (dx[1] != FEW_NONE) d = d == FEW_NONE ? few_neg(g, dx[1]) : few_sub(g, d, dx[1]);
  n.in[0] = d; /* the shape of a single tangent may be smaller than that of the difference */
  return few__pass(g, &n, 0);
}

static void vjp(few_graph *g, few_node self, few_node dy, const bool *need, few_node *dx) {
  for (int k = 0; k < 2; k++) {
    if (!need[k]) continue;
    few_node d = few__unbroadcast(g, dy, few_node_shape(g, few__node(g, self)->in[k]));
    dx[k] = k ? few_neg(g, d) : d;
  }
}

FEW_BINARY_OP(SUB, sub)
