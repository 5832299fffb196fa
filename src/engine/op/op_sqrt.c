/* sqrt - slope 1 / (2 y). */
#include "pointwise.h"

static few_node slope(few_graph *g, few_node x, few_node y) {
  FEW_UNUSED(x);
  return few_scale(g, few_recip(g, y), 0.5);
}

FEW_UNARY_OP(SQRT, sqrt)
