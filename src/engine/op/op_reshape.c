/* reshape - the same elements in the same order under another shape. */
#include "op.h"

few_node few_reshape(few_graph *g, few_node x, struct few_shape shape) {
  if (!few__op_shape(g, "reshape", shape)) return FEW_NONE;
  return few__op_node(g, FEW_OP_RESHAPE, 1, &x, few__shape_attr(shape));
}

static bool infer(few_graph *g, struct few_node_data *n) {
  struct few_shape from = few_node_shape(g, n->in[0]);
  n->shape = few__attr_shape(&n->attr);
  if (few_shape_count(from) == few_shape_count(n->shape)) return true;
  few__graph_fail(g, FEW_E_INVALID, "reshape: %s has %lld elements, %s has %lld: they must agree",
                  few__shape_text(from).at, (long long)few_shape_count(from),
                  few__shape_text(n->shape).at, (long long)few_shape_count(n->shape));
  return false;
}

static few_node simplify(few_graph *g, const struct few_node_data *n) {
  const struct few_node_data *in = few__node(g, n->in[0]);
  double v;
  if (few_shape_equal(in->shape, n->shape)) return n->in[0];
  if (few__fill_value(g, n->in[0], &v)) return few_fill(g, v, n->shape);
  return FEW_NONE;
}

static few_node jvp(few_graph *g, few_node self, const few_node *dx) {
  return few_reshape(g, dx[0], few_node_shape(g, self));
}

static void vjp(few_graph *g, few_node self, few_node dy, const bool *need, few_node *dx) {
  FEW_UNUSED(need);
  dx[0] = few_reshape(g, dy, few_node_shape(g, few__node(g, self)->in[0]));
}

static few_node example(few_graph *g, int k) {
  FEW_UNUSED(k);
  return few_reshape(g, few_input(g, "a", FEW_REAL, FEW_SHAPE(2, 6)), FEW_SHAPE(3, 2, 2));
}

const struct few_op_def few__op_reshape = {.name = "reshape",
                                           .arity = 1,
                                           .flags = FEW_OP_VIEW,
                                           .infer = infer,
                                           .simplify = simplify,
                                           .jvp = jvp,
                                           .vjp = vjp,
                                           .example = example,
                                           .n_examples = 1};
