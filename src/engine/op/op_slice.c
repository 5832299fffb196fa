/* slice - i[2] entries of axis i[0] from i[1] on. Transpose of pad. Of labels [N] it is always a
 * view (plan/order.c), so no kernel has to know their type. */
#include "op.h"

few_node few_slice(few_graph *g, few_node x, int axis, int64_t start, int64_t len) {
  return few__op_node(g, FEW_OP_SLICE, 1, &x, &(struct few_attr){.i = {axis, start, len}});
}

static bool infer(few_graph *g, struct few_node_data *n) {
  const int64_t axis = n->attr.i[0], start = n->attr.i[1], len = n->attr.i[2];
  n->shape = few_node_shape(g, n->in[0]);
  if (axis < 0 || axis >= n->shape.rank || start < 0 || len < 1 ||
      start > n->shape.dim[axis] - len) {
    few__graph_fail(g, FEW_E_INVALID, "slice: %lld entries from %lld of axis %lld are outside %s",
                    (long long)len, (long long)start, (long long)axis,
                    few__shape_text(n->shape).at);
    return false;
  }
  n->shape.dim[axis] = len;
  n->type = few__node(g, n->in[0])->type;
  if (n->type == FEW_REAL || n->shape.rank == 1) return true;
  few__graph_fail(g, FEW_E_INVALID, "slice: labels of rank %d: give labels [N]", n->shape.rank);
  return false;
}

static few_node simplify(few_graph *g, const struct few_node_data *n) {
  double v;
  if (few_shape_equal(few_node_shape(g, n->in[0]), n->shape)) return n->in[0];
  return few__fill_value(g, n->in[0], &v) ? few_fill(g, v, n->shape) : FEW_NONE;
}

static few_node jvp(few_graph *g, few_node self, const few_node *dx) {
  struct few_attr a = few__node(g, self)->attr;
  return few__op_node(g, FEW_OP_SLICE, 1, dx, &a);
}

static void vjp(few_graph *g, few_node self, few_node dy, const bool *need, few_node *dx) {
  FEW_UNUSED(need);
  const struct few_node_data n = *few__node(g, self);
  int axis = (int)n.attr.i[0];
  int64_t full = few_node_shape(g, n.in[0]).dim[axis];
  dx[0] = few_pad(g, dy, axis, n.attr.i[1], full - n.attr.i[1] - n.attr.i[2]);
}

static few_node example(few_graph *g, int k) {
  FEW_UNUSED(k);
  return few_slice(g, few_input(g, "a", FEW_REAL, FEW_SHAPE(2, 4, 2)), 1, 1, 2);
}

const struct few_op_def few__op_slice = {.name = "slice",
                                         .arity = 1,
                                         .infer = infer,
                                         .simplify = simplify,
                                         .jvp = jvp,
                                         .vjp = vjp,
                                         .example = example,
                                         .n_examples = 1};
