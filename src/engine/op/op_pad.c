/* pad - i[1] zeros before and i[2] after on axis i[0]. Transpose of slice. */
#include "op.h"

few_node few_pad(few_graph *g, few_node x, int axis, int64_t before, int64_t after) {
  return few__op_node(g, FEW_OP_PAD, 1, &x, &(struct few_attr){.i = {axis, before, after}});
}

static bool infer(few_graph *g, struct few_node_data *n) {
  const int64_t axis = n->attr.i[0], before = n->attr.i[1], after = n->attr.i[2];
  n->shape = few_node_shape(g, n->in[0]);
  if (axis < 0 || axis >= n->shape.rank || before < 0 || after < 0 || before > INT32_MAX ||
      after > INT32_MAX) {
    few__graph_fail(g, FEW_E_INVALID, "pad: %lld before and %lld after on axis %lld of %s",
                    (long long)before, (long long)after, (long long)axis,
                    few__shape_text(n->shape).at);
    return false;
  }
  n->shape.dim[axis] += before + after;
  return true;
}

static few_node simplify(few_graph *g, const struct few_node_data *n) {
  FEW_UNUSED(g);
  return n->attr.i[1] == 0 && n->attr.i[2] == 0 ? n->in[0] : FEW_NONE;
}

static few_node jvp(few_graph *g, few_node self, const few_node *dx) {
  struct few_attr a = few__node(g, self)->attr;
  return few__op_node(g, FEW_OP_PAD, 1, dx, &a);
}

static void vjp(few_graph *g, few_node self, few_node dy, const bool *need, few_node *dx) {
  FEW_UNUSED(need);
  const struct few_node_data n = *few__node(g, self);
  int axis = (int)n.attr.i[0];
  dx[0] = few_slice(g, dy, axis, n.attr.i[1], few_node_shape(g, n.in[0]).dim[axis]);
}

static few_node example(few_graph *g, int k) {
  FEW_UNUSED(k);
  return few_pad(g, few_input(g, "a", FEW_REAL, FEW_SHAPE(2, 3, 2)), 1, 1, 2);
}

const struct few_op_def few__op_pad = {.name = "pad",
                                       .arity = 1,
                                       .infer = infer,
                                       .simplify = simplify,
                                       .jvp = jvp,
                                       .vjp = vjp,
                                       .example = example,
                                       .n_examples = 1};
