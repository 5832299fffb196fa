/* affine - a x + b, with constants a and b. */
#include "pointwise.h"

few_node few_affine(few_graph *g, few_node x, double a, double b) {
  return few__op_node(g, FEW_OP_AFFINE, 1, &x, FEW_ATTR(affine, a, b));
}

few_node few_scale(few_graph *g, few_node x, double a) { return few_affine(g, x, a, 0); }
few_node few_neg(few_graph *g, few_node x) { return few_affine(g, x, -1, 0); }

static few_node simplify(few_graph *g, const struct few_node_data *n) {
  double a = n->attr.affine.a, b = n->attr.affine.b;
  if (a == 1 && b == 0) return n->in[0];
  return few__fold_pointwise(g, n);
}

static few_node slope(few_graph *g, few_node x, few_node y) {
  return few_fill(g, few__node(g, y)->attr.affine.a, few_node_shape(g, x));
}

/* Its slope is a number: scale instead of multiplying by a filled tensor. */
static few_node jvp(few_graph *g, few_node self, const few_node *dx) {
  return few_scale(g, dx[0], few__node(g, self)->attr.affine.a);
}

static void vjp(few_graph *g, few_node self, few_node dy, const bool *need, few_node *dx) {
  FEW_UNUSED(need);
  dx[0] = jvp(g, self, &dy);
}

static few_node example(few_graph *g, int k) {
  FEW_UNUSED(k);
  return few_affine(g, few_input(g, "a", FEW_REAL, FEW_SHAPE(2, 3)), -1.5, 0.25);
}

const struct few_op_def few__op_affine = {.name = "affine",
                                          .arity = 1,
                                          .flags = FEW_OP_POINTWISE,
                                          .simplify = simplify,
                                          .jvp = jvp,
                                          .vjp = vjp,
                                          .slope = slope,
                                          .example = example,
                                          .n_examples = 1};
