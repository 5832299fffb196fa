/* concat - operands one after another along an axis. */
#include "op.h"

few_node few_concat(few_graph *g, int axis, int n, const few_node *x) {
  if (n < 1 || n > FEW_MAX_IN)
    return few__graph_fail(g, FEW_E_INVALID, "concat: %d operands: give 1 to %d", n, FEW_MAX_IN);
  return few__op_node(g, FEW_OP_CONCAT, n, x, FEW_ATTR(concat, axis));
}

static bool infer(few_graph *g, struct few_node_data *n) {
  int axis = (int)n->attr.concat.axis;
  n->shape = few_node_shape(g, n->in[0]);
  if (axis < 0 || axis >= n->shape.rank) {
    few__graph_fail(g, FEW_E_INVALID, "concat: %s has no axis %d", few__shape_text(n->shape).at,
                    axis);
    return false;
  }
  for (int k = 1; k < n->n_in; k++) {
    struct few_shape s = few_node_shape(g, n->in[k]), same = s;
    if (s.rank == n->shape.rank) same.dim[axis] = n->shape.dim[axis];
    if (!few_shape_equal(same, n->shape)) {
      few__graph_fail(g, FEW_E_INVALID, "concat on axis %d: %s and %s differ on another axis", axis,
                      few__shape_text(few_node_shape(g, n->in[0])).at, few__shape_text(s).at);
      return false;
    }
    n->shape.dim[axis] += s.dim[axis];
  }
  return true;
}

static few_node simplify(few_graph *g, const struct few_node_data *n) {
  FEW_UNUSED(g);
  return n->n_in == 1 ? n->in[0] : FEW_NONE;
}

static few_node jvp(few_graph *g, few_node self, const few_node *dx) {
  const struct few_node_data n = *few__node(g, self);
  few_node d[FEW_MAX_IN];
  for (int k = 0; k < n.n_in; k++)
    d[k] = dx[k] == FEW_NONE ? few_fill(g, 0, few_node_shape(g, n.in[k])) : dx[k];
  return few__op_node(g, FEW_OP_CONCAT, n.n_in, d, n.attr);
}

static void vjp(few_graph *g, few_node self, few_node dy, const bool *need, few_node *dx) {
  const struct few_node_data n = *few__node(g, self);
  int axis = (int)n.attr.concat.axis;
  int64_t at = 0;
  for (int k = 0; k < n.n_in; k++) {
    int64_t len = few_node_shape(g, n.in[k]).dim[axis];
    if (need[k]) dx[k] = few_slice(g, dy, axis, at, len);
    at += len;
  }
}

static few_node example(few_graph *g, int k) {
  FEW_UNUSED(k);
  few_node x[3] = {few_input(g, "a", FEW_REAL, FEW_SHAPE(2, 1, 2)),
                   few_input(g, "b", FEW_REAL, FEW_SHAPE(2, 3, 2)),
                   few_input(g, "c", FEW_REAL, FEW_SHAPE(2, 2, 2))};
  return few_concat(g, 1, 3, x);
}

const struct few_op_def few__op_concat = {.name = "concat",
                                          .arity = -1,
                                          .infer = infer,
                                          .simplify = simplify,
                                          .jvp = jvp,
                                          .vjp = vjp,
                                          .example = example,
                                          .n_examples = 1};
