/* gelu - x (1 + tanh u) / 2 with u = c (x + 0.044715 x^3), c = sqrt(2 / pi) (Hendrycks and
 * Gimpel, arXiv 1606.08415, tanh form); slope (1 + tanh u) / 2 + x (1 - tanh^2 u) u' / 2. */
#include "pointwise.h"

static few_node slope(few_graph *g, few_node x, few_node y) {
  FEW_UNUSED(y);
  const double c = 0.79788456080286536, k = 0.044715;
  few_node x2 = few_square(g, x);
  few_node h = few_tanh(g, few_mul(g, x, few_affine(g, x2, c * k, c)));
  few_node du = few_affine(g, x2, 3 * c * k, c);
  few_node tail = few_mul(g, few_mul(g, x, du), few_affine(g, few_square(g, h), -1, 1));
  return few_scale(g, few_add(g, few_affine(g, h, 1, 1), tail), 0.5);
}

FEW_UNARY_OP(GELU, gelu)
