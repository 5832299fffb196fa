/* square - x^2; slope 2 x. */
#include "pointwise.h"

static few_node slope(few_graph *g, few_node x, few_node y) {
  FEW_UNUSED(y);
  return few_scale(g, x, 2);
}

FEW_UNARY_OP(SQUARE, square)
