/* pointwise.c - constant folding, the chain rule of unary ops, examples. */
#include "pointwise.h"

few_node few__fold_pointwise(few_graph *g, const struct few_node_data *proto) {
  double x[3] = {0};
  assert(proto->n_in <= 3);
  for (int k = 0; k < proto->n_in; k++)
    if (!few__fill_value(g, proto->in[k], &x[k])) return FEW_NONE;
  return few_fill(g, few__pointwise(proto->op, x, &proto->attr), proto->shape);
}

few_node few__pass(few_graph *g, const struct few_node_data *proto, int keep) {
  assert(0 <= keep && keep < proto->n_in);
  few_node x = proto->in[keep];
  struct few_shape s = few_node_shape(g, x);
  if (few_shape_equal(s, proto->shape)) return x;
  if (s.rank == 0) {
    struct few_shape ones = {.rank = proto->shape.rank, .dim = {1, 1, 1, 1, 1, 1}};
    x = few_reshape(g, x, ones);
  }
  return few_broadcast(g, x, proto->shape);
}

few_node few__unary_jvp(few_graph *g, few_node self, const few_node *dx) {
  few_node x = few__node(g, self)->in[0];
  assert(few__op_def(few__op(g, self))->slope);
  return few_mul(g, few__op_def(few__op(g, self))->slope(g, x, self), dx[0]);
}

void few__unary_vjp(few_graph *g, few_node self, few_node dy, const bool *need, few_node *dx) {
  FEW_UNUSED(need);
  dx[0] = few__unary_jvp(g, self, &dy);
}

few_node few__pointwise_example(few_graph *g, few_op op, int k) {
  static const char *const names[] = {"a", "b", "c"};
  int n = few__op_def(op)->arity;
  few_node in[3] = {FEW_NONE, FEW_NONE, FEW_NONE};
  assert(n >= 1 && n <= 3);
  for (int j = 0; j < n; j++) {
    bool small = n > 1 && k == j + 1; /* this operand broadcasts */
    struct few_shape s = small ? FEW_SHAPE(2, 1, 3) : FEW_SHAPE(2, 2, 3);
    in[j] = few_input(g, names[j], FEW_REAL, s);
    in[j] = few_affine(g, few_square(g, in[j]), 1, 0.25 + 0.5 * j);
  }
  return few__op_node(g, op, n, in, FEW_NO_ATTR);
}
