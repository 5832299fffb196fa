/* recip - 1/x; slope -y^2. */
#include "pointwise.h"

static few_node slope(few_graph *g, few_node x, few_node y) {
  FEW_UNUSED(x);
  return few_neg(g, few_square(g, y));
}

FEW_UNARY_OP(RECIP, recip)
