/* atan - slope 1 / (1 + x^2). */
#include "pointwise.h"

static few_node slope(few_graph *g, few_node x, few_node y) {
  FEW_UNUSED(y);
  return few_recip(g, few_affine(g, few_square(g, x), 1, 1));
}

FEW_UNARY_OP(ATAN, atan)
