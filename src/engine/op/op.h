/* op.h - what an op file provides: the row behind each name in ops.def.
 *
 * Rules build graph: jvp and vjp are written with the builders of few/graph.h, so a derivative is
 * made of primitive ops again and can be differentiated again. FEW_NONE stands for zero.
 */
#ifndef FEW_SRC_OP_H
#define FEW_SRC_OP_H

#include "engine/graph/graph.h"

enum few_op_flag {
  FEW_OP_POINTWISE = 1, /* broadcasts its operands; has an expression in ops.def */
  FEW_OP_SOURCE = 2,    /* no operands */
  FEW_OP_RANDOM = 4,    /* value depends on the replay's random key */
  FEW_OP_VIEW = 8,      /* same bytes as its operand: costs nothing */
  FEW_OP_FLAT = 16      /* derivative zero everywhere: no rules needed */
};

struct few_op_def {
  const char *name;
  int arity;
  unsigned flags;
  /* Check operands (already known to be valid nodes) and set out->shape and out->type; on a
   * mistake call few__graph_fail and return false. Pointwise ops leave it NULL. */
  bool (*infer)(few_graph *g, struct few_node_data *out);
  /* An existing or simpler node that equals proto, or FEW_NONE. May be NULL. It may look at
   * operands that are constants but never reach through another operand to what that was made
   * from: a derivative with respect to the operand would then miss the path. */
  few_node (*simplify)(few_graph *g, const struct few_node_data *proto);
  /* Tangent of `self` for tangents dx[k] of its operands, not all of them FEW_NONE. */
  few_node (*jvp)(few_graph *g, few_node self, const few_node *dx);
  /* Cotangents dx[k] (set to FEW_NONE by the caller) for cotangent dy. need[k] is false where
   * nobody wants dx[k]. */
  void (*vjp)(few_graph *g, few_node self, few_node dy, const bool *need, few_node *dx);
  /* Unary pointwise ops give their slope dy/dx instead of jvp and vjp; y is the node itself. */
  few_node (*slope)(few_graph *g, few_node x, few_node y);
  /* The same value from ops that have rules: derivatives of a fused op come from here when it has
   * no jvp or no vjp of its own. */
  few_node (*decompose)(few_graph *g, few_node self);
  /* Multiply-adds count twice; NULL: one flop an element, not worth counting. */
  double (*flops)(const few_graph *g, const struct few_node_data *n);
  /* Small uses of the op for the derivative test: builds example k from inputs named "a", "b" ...;
   * n_examples of them. Pointwise ops have a default. */
  few_node (*example)(few_graph *g, int k);
  int n_examples;
};

/* Row of an op; never NULL. */
const struct few_op_def *few__op_def(few_op op);

/* One node with `n` operands and attributes attr (NULL: all zero). */
few_node few__op_node(few_graph *g, few_op op, int n, const few_node *in,
                      const struct few_attr *attr);

/* A shape that a caller gives may be asked for: 0 to FEW_MAX_RANK dims, each at least 1, fewer than
 * 2^59 elements. False, with a failure, otherwise. */
bool few__op_shape(few_graph *g, const char *op, struct few_shape shape);

/* Reduce x to the shape of a broadcast operand: the transpose of broadcasting. */
few_node few__unbroadcast(few_graph *g, few_node x, struct few_shape shape);
/* a + b where FEW_NONE is zero. */
few_node few__plus(few_graph *g, few_node a, few_node b);

/* The node is a FILL of this value. */
bool few__is_fill(const few_graph *g, few_node n, double value);
/* Any FILL; its value goes to *value. */
bool few__fill_value(const few_graph *g, few_node n, double *value);

/* Value of a pointwise op on numbers: the definition in ops.def in double. */
double few__pointwise(few_op op, const double *x, const struct few_attr *attr);

#endif
