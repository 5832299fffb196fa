/* transpose - axes in another order. */
#include "op.h"

few_node few_transpose(few_graph *g, few_node x, const int *perm) {
  struct few_attr_transpose a = {0};
  for (int k = 0; k < few_node_shape(g, x).rank; k++) a.perm[k] = perm[k];
  return few__op_node(g, FEW_OP_TRANSPOSE, 1, &x, few__attr(&a, sizeof a));
}

static bool infer(few_graph *g, struct few_node_data *n) {
  struct few_shape from = few_node_shape(g, n->in[0]);
  unsigned seen = 0;
  n->shape.rank = from.rank;
  for (int k = 0; k < from.rank; k++) {
    int64_t p = n->attr.transpose.perm[k];
    if (p < 0 || p >= from.rank || seen >> p & 1) {
      few__graph_fail(g, FEW_E_INVALID, "transpose: not a permutation of the %d axes of %s",
                      from.rank, few__shape_text(from).at);
      return false;
    }
    seen |= 1u << p;
    n->shape.dim[k] = from.dim[p];
  }
  return true;
}

static few_node simplify(few_graph *g, const struct few_node_data *n) {
  FEW_UNUSED(g);
  for (int k = 0; k < n->shape.rank; k++)
    if (n->attr.transpose.perm[k] != k) return FEW_NONE;
  return n->in[0];
}

static few_node jvp(few_graph *g, few_node self, const few_node *dx) {
  return few__op_node(g, FEW_OP_TRANSPOSE, 1, dx, few__node(g, self)->attr);
}

static void vjp(few_graph *g, few_node self, few_node dy, const bool *need, few_node *dx) {
  FEW_UNUSED(need);
  int inverse[FEW_MAX_RANK];
  for (int k = 0; k < few__node(g, self)->shape.rank; k++)
    inverse[few__node(g, self)->attr.transpose.perm[k]] = k;
  dx[0] = few_transpose(g, dy, inverse);
}

static few_node example(few_graph *g, int k) {
  FEW_UNUSED(k);
  few_node a = few_input(g, "a", FEW_REAL, FEW_SHAPE(2, 3, 1, 2));
  return few_transpose(g, a, (int[]){1, 3, 0, 2});
}

const struct few_op_def few__op_transpose = {.name = "transpose",
                                             .arity = 1,
                                             .infer = infer,
                                             .simplify = simplify,
                                             .jvp = jvp,
                                             .vjp = vjp,
                                             .example = example,
                                             .n_examples = 1};
