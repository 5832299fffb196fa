/* broadcast - dims of 1 repeated; the shape is kept in i[0] = rank, i[1..]. Transpose of sum. */
#include "op.h"

few_node few_broadcast(few_graph *g, few_node x, struct few_shape shape) {
  struct few_attr a = {.i = {shape.rank}};
  if (!few__op_shape(g, "broadcast", shape)) return FEW_NONE;
  for (int k = 0; k < shape.rank; k++) a.i[1 + k] = shape.dim[k];
  return few__op_node(g, FEW_OP_BROADCAST, 1, &x, &a);
}

static bool infer(few_graph *g, struct few_node_data *n) {
  struct few_shape from = few_node_shape(g, n->in[0]);
  n->shape.rank = (int)n->attr.i[0];
  bool ok = from.rank == n->shape.rank;
  for (int k = 0; k < n->shape.rank; k++) {
    n->shape.dim[k] = n->attr.i[1 + k];
    ok = ok && (from.dim[k] == 1 || from.dim[k] == n->shape.dim[k]);
  }
  if (!ok)
    few__graph_fail(g, FEW_E_INVALID, "broadcast: %s does not broadcast to %s: dims equal or 1",
                    few__shape_text(from).at, few__shape_text(n->shape).at);
  return ok;
}

static few_node simplify(few_graph *g, const struct few_node_data *n) {
  double v;
  if (few_shape_equal(few_node_shape(g, n->in[0]), n->shape)) return n->in[0];
  return few__fill_value(g, n->in[0], &v) ? few_fill(g, v, n->shape) : FEW_NONE;
}

static few_node jvp(few_graph *g, few_node self, const few_node *dx) {
  return few_broadcast(g, dx[0], few_node_shape(g, self));
}

static void vjp(few_graph *g, few_node self, few_node dy, const bool *need, few_node *dx) {
  FEW_UNUSED(need);
  dx[0] = few_sum(g, dy, few_node_shape(g, few__node(g, self)->in[0]));
}

static few_node example(few_graph *g, int k) {
  few_node a = few_input(g, "a", FEW_REAL, k ? FEW_SHAPE(2, 1, 1) : FEW_SHAPE(1, 2, 1));
  return few_broadcast(g, a, FEW_SHAPE(2, 2, 3));
}

const struct few_op_def few__op_broadcast = {.name = "broadcast",
                                             .arity = 1,
                                             .infer = infer,
                                             .simplify = simplify,
                                             .jvp = jvp,
                                             .vjp = vjp,
                                             .example = example,
                                             .n_examples = 2};
