/* add - a + b, broadcasting. */
#include "pointwise.h"

static few_node simplify(few_graph *g, const struct few_node_data *n) {
  for (int k = 0; k < 2; k++) {
    double v;
    if (!few__fill_value(g, n->in[k], &v)) continue;
    few_node other = n->in[1 - k];
    if (v == 0) return few__pass(g, n, 1 - k);
    if (few_shape_equal(few_node_shape(g, other), n->shape)) return few_affine(g, other, 1, v);
  }
  return few__fold_pointwise(g, n);
}

static few_node jvp(few_graph *g, few_node self, const few_node *dx) {
  struct few_node_data n = *few__node(g, self);
  few_node d = few__plus(g, dx[0], dx[1]);
  n.in[0] = d; /* the shape of a single tangent may be smaller than that of the sum */
  return few__pass(g, &n, 0);
}

static void vjp(few_graph *g, few_node self, few_node dy, const bool *need, few_node *dx) {
  for (int k = 0; k < 2; k++)
    if (need[k]) dx[k] = few__unbroadcast(g, dy, few_node_shape(g, few__node(g, self)->in[k]));
}

FEW_BINARY_OP(ADD, add)
