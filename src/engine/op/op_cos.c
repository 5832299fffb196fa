/* cos - slope -sin x. */
#include "pointwise.h"

static few_node slope(few_graph *g, few_node x, few_node y) {
  FEW_UNUSED(y);
  return few_neg(g, few_sin(g, x));
}

FEW_UNARY_OP(COS, cos)
