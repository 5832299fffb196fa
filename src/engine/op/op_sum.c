/* op_sum.c - sum over axes, and its transpose, broadcast. Operand and result have the same rank. A
 * sum reduces dims to 1; a broadcast repeats dims that are 1.
 */
#include "op.h"

/* ---- sum ---- */

few_node few_sum(few_graph *g, few_node x, struct few_shape shape) {
  if (!few__op_shape(g, "sum", shape)) return FEW_NONE;
  return few__op_node(g, FEW_OP_SUM, 1, &x, few__shape_attr(shape));
}

few_node few_sum_all(few_graph *g, few_node x) {
  struct few_shape ones = few_node_shape(g, x);
  for (int k = 0; k < ones.rank; k++) ones.dim[k] = 1;
  return few_reshape(g, few_sum(g, x, ones), FEW_SCALAR);
}

few_node few_mean_all(few_graph *g, few_node x) {
  return few_scale(g, few_sum_all(g, x), 1 / (double)few_shape_count(few_node_shape(g, x)));
}

static bool sum_infer(few_graph *g, struct few_node_data *n) {
  struct few_shape from = few_node_shape(g, n->in[0]);
  n->shape = few__attr_shape(&n->attr);
  bool ok = from.rank == n->shape.rank;
  for (int k = 0; ok && k < n->shape.rank; k++)
    ok = n->shape.dim[k] == 1 || from.dim[k] == n->shape.dim[k];
  if (!ok)
    few__graph_fail(g, FEW_E_INVALID, "sum: %s does not reduce to %s: dims must be equal or 1",
                    few__shape_text(from).at, few__shape_text(n->shape).at);
  return ok;
}

static few_node sum_simplify(few_graph *g, const struct few_node_data *n) {
  struct few_shape from = few_node_shape(g, n->in[0]);
  double v;
  if (few_shape_equal(from, n->shape)) return n->in[0];
  if (!few__fill_value(g, n->in[0], &v)) return FEW_NONE;
  double terms = (double)few_shape_count(from) / (double)few_shape_count(n->shape);
  return few_fill(g, v * terms, n->shape);
}

static few_node sum_jvp(few_graph *g, few_node self, const few_node *dx) {
  return few_sum(g, dx[0], few_node_shape(g, self));
}

static void sum_vjp(few_graph *g, few_node self, few_node dy, const bool *need, few_node *dx) {
  FEW_UNUSED(need);
  dx[0] = few_broadcast(g, dy, few_node_shape(g, few__node(g, self)->in[0]));
}

static few_node sum_example(few_graph *g, int k) {
  few_node a = few_input(g, "a", FEW_REAL, FEW_SHAPE(2, 2, 3));
  return few_sum(g, a, k ? FEW_SHAPE(1, 1, 3) : FEW_SHAPE(2, 1, 1));
}

const struct few_op_def few__op_sum = {.name = "sum",
                                       .arity = 1,
                                       .infer = sum_infer,
                                       .simplify = sum_simplify,
                                       .jvp = sum_jvp,
                                       .vjp = sum_vjp,
                                       .example = sum_example,
                                       .n_examples = 2};

/* ---- broadcast ---- */

few_node few_broadcast(few_graph *g, few_node x, struct few_shape shape) {
  if (!few__op_shape(g, "broadcast", shape)) return FEW_NONE;
  return few__op_node(g, FEW_OP_BROADCAST, 1, &x, few__shape_attr(shape));
}

static bool broadcast_infer(few_graph *g, struct few_node_data *n) {
  struct few_shape from = few_node_shape(g, n->in[0]);
  n->shape = few__attr_shape(&n->attr);
  bool ok = from.rank == n->shape.rank;
  for (int k = 0; ok && k < n->shape.rank; k++)
    ok = from.dim[k] == 1 || from.dim[k] == n->shape.dim[k];
  if (!ok)
    few__graph_fail(g, FEW_E_INVALID,
                    "broadcast: %s does not broadcast to %s: dims must be equal or 1",
                    few__shape_text(from).at, few__shape_text(n->shape).at);
  return ok;
}

static few_node broadcast_simplify(few_graph *g, const struct few_node_data *n) {
  double v;
  if (few_shape_equal(few_node_shape(g, n->in[0]), n->shape)) return n->in[0];
  return few__fill_value(g, n->in[0], &v) ? few_fill(g, v, n->shape) : FEW_NONE;
}

static few_node broadcast_jvp(few_graph *g, few_node self, const few_node *dx) {
  return few_broadcast(g, dx[0], few_node_shape(g, self));
}

static void broadcast_vjp(few_graph *g, few_node self, few_node dy, const bool *need,
                          few_node *dx) {
  FEW_UNUSED(need);
  dx[0] = few_sum(g, dy, few_node_shape(g, few__node(g, self)->in[0]));
}

static few_node broadcast_example(few_graph *g, int k) {
  few_node a = few_input(g, "a", FEW_REAL, k ? FEW_SHAPE(2, 1, 1) : FEW_SHAPE(1, 2, 1));
  return few_broadcast(g, a, FEW_SHAPE(2, 2, 3));
}

const struct few_op_def few__op_broadcast = {.name = "broadcast",
                                             .arity = 1,
                                             .infer = broadcast_infer,
                                             .simplify = broadcast_simplify,
                                             .jvp = broadcast_jvp,
                                             .vjp = broadcast_vjp,
                                             .example = broadcast_example,
                                             .n_examples = 2};
