/* op_norm.c - normalisation over groups of channels and all positions of a row, and its Jacobian.
 *
 *     norm(x) = (x - mean) r  with  r = (var + eps)^(-1/2)
 *
 * This is group norm (Wu and He, arXiv 1803.08494); layer norm and RMS norm are special cases. With
 * y = norm(x),
 *
 *     norm_tangent(x, d) = J d = r (d - mean d - y mean(y d)).
 *
 * Without centring, the mean of x and the mean of d are left out. J is symmetric, so tangent and
 * cotangent of norm are both norm_tangent.
 */
#include <math.h>

#include "op.h"

/* ---- norm ---- */

few_node few_norm(few_graph *g, few_node x, int groups, bool center, double eps) {
  return few__op_node(g, FEW_OP_NORM, 1, &x, FEW_ATTR(norm, groups, center, eps));
}

static bool norm_check(few_graph *g, struct few_node_data *n) {
  n->shape = few_node_shape(g, n->in[0]);
  const int groups = n->attr.norm.groups;
  if (!(n->attr.norm.eps >= 0) || !isfinite(n->attr.norm.eps)) {
    few__graph_fail(g, FEW_E_INVALID, "norm: eps %g: give 0 or more", n->attr.norm.eps);
    return false;
  }
  bool ok = n->shape.rank >= 2 && groups >= 1 && n->shape.dim[n->shape.rank - 1] % groups == 0;
  for (int k = 1; ok && k < n->n_in; k++)
    ok = few_shape_equal(few_node_shape(g, n->in[k]), n->shape);
  if (!ok)
    few__graph_fail(g, FEW_E_INVALID,
                    "norm: %s in %d groups: needs [N,..,C] with C a multiple of groups",
                    few__shape_text(n->shape).at, groups);
  return ok;
}

static few_node along(few_graph *g, few_node self, few_node d) {
  const struct few_node_data n = *few__node(g, self);
  return few__op_node(g, FEW_OP_NORM_TANGENT, 2, (few_node[]){n.in[0], d}, n.attr);
}

static few_node norm_jvp(few_graph *g, few_node self, const few_node *dx) {
  return along(g, self, dx[0]);
}

static void norm_vjp(few_graph *g, few_node self, few_node dy, const bool *need, few_node *dx) {
  FEW_UNUSED(need);
  dx[0] = along(g, self, dy);
}

static few_node norm_example(few_graph *g, int k) {
  few_node x = few_input(g, "a", FEW_REAL, k == 2 ? FEW_SHAPE(3, 4) : FEW_SHAPE(2, 2, 2, 4));
  return few_norm(g, x, k == 0 ? 2 : 1, k != 1, 1e-3);
}

const struct few_op_def few__op_norm = {.name = "norm",
                                        .arity = 1,
                                        .infer = norm_check,
                                        .jvp = norm_jvp,
                                        .vjp = norm_vjp,
                                        .example = norm_example,
                                        .n_examples = 3};

/* ---- norm_tangent: operands (x, d) ---- */

few_node few_norm_tangent(few_graph *g, few_node x, few_node d, int groups, bool center,
                          double eps) {
  return few__op_node(g, FEW_OP_NORM_TANGENT, 2, (few_node[]){x, d},
                      FEW_ATTR(norm, groups, center, eps));
}

/* Mean over positions and the channels of a group; x is [N, P, groups, C/groups]. */
static few_node group_mean(few_graph *g, few_node x) {
  struct few_shape s = few_node_shape(g, x);
  few_node sum = few_sum(g, x, FEW_SHAPE(s.dim[0], 1, s.dim[2], 1));
  return few_scale(g, sum, 1 / (double)(s.dim[1] * s.dim[3]));
}

static few_node tangent_decompose(few_graph *g, few_node self) {
  const struct few_node_data n = *few__node(g, self);
  const bool center = n.attr.norm.center;
  assert(n.shape.rank >= 2 && n.shape.dim[n.shape.rank - 1] % n.attr.norm.groups == 0);
  int64_t rows = n.shape.dim[0], c = n.shape.dim[n.shape.rank - 1], groups = n.attr.norm.groups;
  struct few_shape s = FEW_SHAPE(rows, few_shape_count(n.shape) / rows / c, groups, c / groups);
  few_node x = few_reshape(g, n.in[0], s), d = few_reshape(g, n.in[1], s);
  if (center) {
    x = few_sub(g, x, group_mean(g, x));
    d = few_sub(g, d, group_mean(g, d));
  }
  few_node var = group_mean(g, few_square(g, x));
  few_node r = few_recip(g, few_sqrt(g, few_affine(g, var, 1, n.attr.norm.eps)));
  few_node y = few_mul(g, x, r);
  few_node along = few_mul(g, y, group_mean(g, few_mul(g, y, d)));
  return few_reshape(g, few_mul(g, few_sub(g, d, along), r), n.shape);
}

/* Linear and symmetric in d. The cotangent of x comes from the decomposition. */
static void tangent_vjp(few_graph *g, few_node self, few_node dy, const bool *need, few_node *dx) {
  const struct few_node_data n = *few__node(g, self);
  if (need[1]) dx[1] = few__op_node(g, FEW_OP_NORM_TANGENT, 2, (few_node[]){n.in[0], dy}, n.attr);
  if (!need[0]) return;
  few_node y = tangent_decompose(g, self), x = n.in[0];
  few_vjp(&dx[0], g, 1, &y, &dy, 1, &x);
}

static few_node tangent_example(few_graph *g, int k) {
  struct few_shape s = k == 2 ? FEW_SHAPE(3, 4) : FEW_SHAPE(2, 2, 2, 4);
  return few_norm_tangent(g, few_input(g, "a", FEW_REAL, s), few_input(g, "b", FEW_REAL, s),
                          k == 0 ? 2 : 1, k != 1, 1e-3);
}

const struct few_op_def few__op_norm_tangent = {.name = "norm_tangent",
                                                .arity = 2,
                                                .infer = norm_check,
                                                .vjp = tangent_vjp,
                                                .decompose = tangent_decompose,
                                                .example = tangent_example,
                                                .n_examples = 3};
