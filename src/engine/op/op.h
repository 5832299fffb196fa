/* op.h - the table of ops, and common helpers of the op files. An op file provides the row behind
 * each name in ops.def (struct few_op_def in engine/graph/graph.h).
 *
 * Rules build graph: jvp and vjp are written with the builders of few/graph.h, so a derivative
 * consists of primitive ops and can itself be differentiated. FEW_NONE stands for zero.
 */
#ifndef FEW_SRC_OP_H
#define FEW_SRC_OP_H

#include "engine/graph/graph.h"

/* Row of an op; never NULL. */
const struct few_op_def *few__op_def(few_op op);

/* One node with n operands and attributes attr: FEW_ATTR(...), or FEW_NO_ATTR. */
few_node few__op_node(few_graph *g, few_op op, int n, const few_node *in, union few_attr attr);

/* The attributes of an op whose result has a given shape, and the shape in such attributes. */
union few_attr few__shape_attr(struct few_shape shape);
struct few_shape few__attr_shape(const union few_attr *a);

/* Whether the shape is valid: 0 to FEW_MAX_RANK dims, each at least 1, fewer than 2^59 elements. If
 * not, the graph fails. */
bool few__op_shape(few_graph *g, const char *op, struct few_shape shape);

/* Sums x to the shape of an operand that was broadcast: the transpose of broadcasting. */
few_node few__unbroadcast(few_graph *g, few_node x, struct few_shape shape);
/* a + b where FEW_NONE is zero. */
few_node few__plus(few_graph *g, few_node a, few_node b);

/* Whether the node is a FILL of this value. */
bool few__is_fill(const few_graph *g, few_node n, double value);
/* Whether the node is a FILL; if so, *value is its value. */
bool few__fill_value(const few_graph *g, few_node n, double *value);

/* Value of a pointwise op on numbers: the definition in ops.def in double. */
double few__pointwise(few_op op, const double *x, const union few_attr *attr);

#endif
