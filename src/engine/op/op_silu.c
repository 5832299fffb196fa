/* silu - x s with s = sigmoid(x); slope s (1 + x (1 - s)). */
#include "pointwise.h"

static few_node slope(few_graph *g, few_node x, few_node y) {
  FEW_UNUSED(y);
  few_node s = few_sigmoid(g, x);
  return few_mul(g, s, few_affine(g, few_mul(g, x, few_affine(g, s, -1, 1)), 1, 1));
}

FEW_UNARY_OP(SILU, silu)
