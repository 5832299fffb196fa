/* pointwise.h - common parts of the pointwise ops: builders, folding, default examples. */
#ifndef FEW_SRC_POINTWISE_H
#define FEW_SRC_POINTWISE_H

#include "op.h"

/* Constants fold: a pointwise op of FILLs is a FILL. FEW_NONE if some operand is none. */
few_node few__fold_pointwise(few_graph *g, const struct few_node_data *proto);
/* Operand `keep`, broadcast to the shape of the result: for x + 0 and x * 1. */
few_node few__pass(few_graph *g, const struct few_node_data *proto, int keep);

few_node few__unary_jvp(few_graph *g, few_node self, const few_node *dx);
void few__unary_vjp(few_graph *g, few_node self, few_node dy, const bool *need, few_node *dx);
/* Examples with inputs a, b, c, which are positive so that log and sqrt are defined. In example 0
 * all shapes are equal; each of the others broadcasts one operand. */
few_node few__pointwise_example(few_graph *g, few_op op, int k);

/* The row of a unary op, given `static few_node slope(few_graph *, few_node x, few_node y)`. */
#define FEW_UNARY_OP(ENUM, op_name)                                             \
  few_node few_##op_name(few_graph *g, few_node x) {                            \
    return few__op_node(g, FEW_OP_##ENUM, 1, &x, FEW_NO_ATTR);                  \
  }                                                                             \
  static few_node example(few_graph *g, int k) {                                \
    return few__pointwise_example(g, FEW_OP_##ENUM, k);                         \
  }                                                                             \
  const struct few_op_def few__op_##op_name = {.name = #op_name,                \
                                               .arity = 1,                      \
                                               .flags = FEW_OP_POINTWISE,       \
                                               .simplify = few__fold_pointwise, \
                                               .jvp = few__unary_jvp,           \
                                               .vjp = few__unary_vjp,           \
                                               .slope = slope,                  \
                                               .example = example,              \
                                               .n_examples = 1};

/* The row of a binary op, given simplify, jvp and vjp. */
#define FEW_BINARY_OP(ENUM, op_name)                                           \
  few_node few_##op_name(few_graph *g, few_node a, few_node b) {               \
    return few__op_node(g, FEW_OP_##ENUM, 2, (few_node[]){a, b}, FEW_NO_ATTR); \
  }                                                                            \
  static few_node example_##op_name(few_graph *g, int k) {                     \
    return few__pointwise_example(g, FEW_OP_##ENUM, k);                        \
  }                                                                            \
  const struct few_op_def few__op_##op_name = {.name = #op_name,               \
                                               .arity = 2,                     \
                                               .flags = FEW_OP_POINTWISE,      \
                                               .simplify = simplify,           \
                                               .jvp = jvp,                     \
                                               .vjp = vjp,                     \
                                               .example = example_##op_name,   \
                                               .n_examples = 3};

#endif
