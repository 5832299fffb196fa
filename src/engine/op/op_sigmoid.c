/* sigmoid - 1 / (1 + e^-x); slope y (1 - y). */
#include "pointwise.h"

static few_node slope(few_graph *g, few_node x, few_node y) {
  FEW_UNUSED(x);
  return few_mul(g, y, few_affine(g, y, -1, 1));
}

FEW_UNARY_OP(SIGMOID, sigmoid)
