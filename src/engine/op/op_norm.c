/* norm - (x - mean) / sqrt(var + eps) over groups of channels and all positions of a row (group
 * norm, Wu and He, arXiv 1803.08494; layer norm and RMS norm are its special cases). The Jacobian
 * is symmetric: tangent and cotangent are both norm_tangent. */
#include "norm.h"

#include <math.h>

few_node few_norm(few_graph *g, few_node x, int groups, bool center, double eps) {
  struct few_attr a = few__norm_attr(groups, center, eps);
  return few__op_node(g, FEW_OP_NORM, 1, &x, &a);
}

bool few__norm_check(few_graph *g, struct few_node_data *n) {
  n->shape = few_node_shape(g, n->in[0]);
  int64_t groups = n->attr.i[0];
  if (!(n->attr.f[0] >= 0) || !isfinite(n->attr.f[0])) {
    few__graph_fail(g, FEW_E_INVALID, "norm: eps %g: give 0 or more", n->attr.f[0]);
    return false;
  }
  bool ok = n->shape.rank >= 2 && groups >= 1 && n->shape.dim[n->shape.rank - 1] % groups == 0;
  for (int k = 1; ok && k < n->n_in; k++)
    ok = few_shape_equal(few_node_shape(g, n->in[k]), n->shape);
  if (!ok)
    few__graph_fail(g, FEW_E_INVALID,
                    "norm: %s in %lld groups: wants [N,..,C] with C a multiple of groups",
                    few__shape_text(n->shape).at, (long long)groups);
  return ok;
}

static few_node along(few_graph *g, few_node self, few_node d) {
  struct few_attr a = few__node(g, self)->attr;
  return few__op_node(g, FEW_OP_NORM_TANGENT, 2, (few_node[]){few__node(g, self)->in[0], d}, &a);
}

static few_node jvp(few_graph *g, few_node self, const few_node *dx) {
  return along(g, self, dx[0]);
}

static void vjp(few_graph *g, few_node self, few_node dy, const bool *need, few_node *dx) {
  FEW_UNUSED(need);
  dx[0] = along(g, self, dy);
}

static few_node example(few_graph *g, int k) {
  few_node x = few_input(g, "a", FEW_REAL, k == 2 ? FEW_SHAPE(3, 4) : FEW_SHAPE(2, 2, 2, 4));
  return few_norm(g, x, k == 0 ? 2 : 1, k != 1, 1e-3);
}

const struct few_op_def few__op_norm = {.name = "norm",
                                        .arity = 1,
                                        .infer = few__norm_check,
                                        .jvp = jvp,
                                        .vjp = vjp,
                                        .example = example,
                                        .n_examples = 3};
