/* table.c - ops.def as a table, which each graph gets, and the helpers that rules share. */
#include <math.h>

#include "op.h"

#define FEW_OP(ENUM, name, arity) extern const struct few_op_def few__op_##name;
#include "few/each_op.h"

static const struct few_op_def *const table[FEW_OP_COUNT] = {
#define FEW_OP(ENUM, name, arity) &few__op_##name,
#include "few/each_op.h"
};

few_status few_graph_create(few_graph **out, few_ctx *ctx) {
  return few__graph_create(ctx, out, table);
}

const struct few_op_def *few__op_def(few_op op) {
  assert(op < FEW_OP_COUNT);
  return table[op];
}

few_node few__op_node(few_graph *g, few_op op, int n, const few_node *in, union few_attr attr) {
  struct few_node_data d = {.op = op, .n_in = n, .attr = attr};
  assert(op < FEW_OP_COUNT && 0 <= n && n <= FEW_MAX_IN);
  for (int k = 0; k < n; k++) d.in[k] = in[k];
  return few__emit(g, &d);
}

union few_attr few__shape_attr(struct few_shape shape) {
  struct few_attr_shape a = {.rank = shape.rank};
  assert(few__rank_is_valid(shape));
  for (int k = 0; k < shape.rank; k++) a.dim[k] = shape.dim[k];
  return few__attr(&a, sizeof a);
}

struct few_shape few__attr_shape(const union few_attr *a) {
  struct few_shape s = {.rank = (int)a->shape.rank};
  assert(few__rank_is_valid(s));
  for (int k = 0; k < s.rank; k++) s.dim[k] = a->shape.dim[k];
  return s;
}

bool few__op_shape(few_graph *g, const char *op, struct few_shape shape) {
  if (few__shape_is_valid(shape)) return true;
  few__graph_fail(g, FEW_E_INVALID, "%s: impossible shape %s: " FEW_SHAPE_RULE, op,
                  few__shape_text(shape).at, FEW_MAX_RANK);
  return false;
}

few_node few__unbroadcast(few_graph *g, few_node x, struct few_shape shape) {
  if (x == FEW_NONE || few_shape_equal(few_node_shape(g, x), shape)) return x;
  assert(shape.rank == 0 || shape.rank == few_node_shape(g, x).rank);
  return shape.rank == 0 ? few_sum_all(g, x) : few_sum(g, x, shape);
}

few_node few__plus(few_graph *g, few_node a, few_node b) {
  if (a == FEW_NONE) return b;
  return b == FEW_NONE ? a : few_add(g, a, b);
}

bool few__fill_value(const few_graph *g, few_node n, double *value) {
  const struct few_node_data *d = few__node(g, n);
  *value = d->op == FEW_OP_FILL ? d->attr.fill.value : 0;
  return d->op == FEW_OP_FILL;
}

bool few__is_fill(const few_graph *g, few_node n, double value) {
  double v;
  return few__fill_value(g, n, &v) && v == value;
}

double few__pointwise(few_op op, const double *x, const union few_attr *attr) {
  assert(few__op_def(op)->flags & FEW_OP_POINTWISE);
#define X x[0]
#define Y x[1]
#define Z x[2]
#define A attr->affine.a
#define B attr->affine.b
#define C(v) ((double)(v))
#define EXP exp
#define LOG log
#define SIN sin
#define COS cos
#define TANH tanh
#define ATAN atan
#define SQRT sqrt
#define ABS fabs
#define FLOOR floor
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define SELECT(c, a, b) ((c) ? (a) : (b))
  switch (op) {
#define FEW_UNARY(ENUM, name, expression) \
  case FEW_OP_##ENUM:                     \
    return expression;
#define FEW_BINARY(ENUM, name, expression) \
  case FEW_OP_##ENUM:                      \
    return expression;
#define FEW_TERNARY(ENUM, name, expression) \
  case FEW_OP_##ENUM:                       \
    return expression;
#include "few/each_op.h"
    default:
      assert(!"a pointwise op");
      return NAN;
  }
}
