/* op_slice.c - a part of an axis, and its transpose: pad puts zeros around.
 *
 * A slice of labels [N] is always a view (plan/order.c), so no kernel copies labels.
 */
#include "op.h"

/* ---- slice ---- */

few_node few_slice(few_graph *g, few_node x, int axis, int64_t start, int64_t len) {
  return few__op_node(g, FEW_OP_SLICE, 1, &x, FEW_ATTR(slice, axis, start, len));
}

static bool slice_infer(few_graph *g, struct few_node_data *n) {
  const int64_t axis = n->attr.slice.axis, start = n->attr.slice.start, len = n->attr.slice.len;
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

static few_node slice_simplify(few_graph *g, const struct few_node_data *n) {
  double v;
  if (few_shape_equal(few_node_shape(g, n->in[0]), n->shape)) return n->in[0];
  return few__fill_value(g, n->in[0], &v) ? few_fill(g, v, n->shape) : FEW_NONE;
}

static few_node slice_jvp(few_graph *g, few_node self, const few_node *dx) {
  return few__op_node(g, FEW_OP_SLICE, 1, dx, few__node(g, self)->attr);
}

static void slice_vjp(few_graph *g, few_node self, few_node dy, const bool *need, few_node *dx) {
  FEW_UNUSED(need);
  const struct few_node_data n = *few__node(g, self);
  const struct few_attr_slice s = n.attr.slice;
  const int64_t after = few_node_shape(g, n.in[0]).dim[s.axis] - s.start - s.len;
  dx[0] = few_pad(g, dy, (int)s.axis, s.start, after);
}

static few_node slice_example(few_graph *g, int k) {
  FEW_UNUSED(k);
  return few_slice(g, few_input(g, "a", FEW_REAL, FEW_SHAPE(2, 4, 2)), 1, 1, 2);
}

const struct few_op_def few__op_slice = {.name = "slice",
                                         .arity = 1,
                                         .infer = slice_infer,
                                         .simplify = slice_simplify,
                                         .jvp = slice_jvp,
                                         .vjp = slice_vjp,
                                         .example = slice_example,
                                         .n_examples = 1};

/* ---- pad ---- */

few_node few_pad(few_graph *g, few_node x, int axis, int64_t before, int64_t after) {
  return few__op_node(g, FEW_OP_PAD, 1, &x, FEW_ATTR(pad, axis, before, after));
}

static bool pad_infer(few_graph *g, struct few_node_data *n) {
  const int64_t axis = n->attr.pad.axis, before = n->attr.pad.before, after = n->attr.pad.after;
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

static few_node pad_simplify(few_graph *g, const struct few_node_data *n) {
  FEW_UNUSED(g);
  return n->attr.pad.before == 0 && n->attr.pad.after == 0 ? n->in[0] : FEW_NONE;
}

static few_node pad_jvp(few_graph *g, few_node self, const few_node *dx) {
  return few__op_node(g, FEW_OP_PAD, 1, dx, few__node(g, self)->attr);
}

static void pad_vjp(few_graph *g, few_node self, few_node dy, const bool *need, few_node *dx) {
  FEW_UNUSED(need);
  const struct few_node_data n = *few__node(g, self);
  const int axis = (int)n.attr.pad.axis;
  dx[0] = few_slice(g, dy, axis, n.attr.pad.before, few_node_shape(g, n.in[0]).dim[axis]);
}

static few_node pad_example(few_graph *g, int k) {
  FEW_UNUSED(k);
  return few_pad(g, few_input(g, "a", FEW_REAL, FEW_SHAPE(2, 3, 2)), 1, 1, 2);
}

const struct few_op_def few__op_pad = {.name = "pad",
                                       .arity = 1,
                                       .infer = pad_infer,
                                       .simplify = pad_simplify,
                                       .jvp = pad_jvp,
                                       .vjp = pad_vjp,
                                       .example = pad_example,
                                       .n_examples = 1};
