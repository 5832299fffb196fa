/* abs - |x|; slope 1 - 2 [x < 0], so +1 at 0. */
#include "pointwise.h"

static few_node slope(few_graph *g, few_node x, few_node y) {
  FEW_UNUSED(y);
  return few_affine(g, few_less(g, x, few_fill(g, 0, FEW_SCALAR)), -2, 1);
}

FEW_UNARY_OP(ABS, abs)
