/* op_down.c - halve height and width with a separable filter, and double them with its transpose.
 *
 * For an even number n of taps f that sum to 1, and zero outside the image,
 *
 *     down:  y[i,j] = sum over a, b of f[a] f[b] x[2i + a - (n/2 - 1), 2j + b - (n/2 - 1)].
 *
 * Taps [1,1]/2 give the mean of 2x2 pixels. `up` is 4 times the transpose of `down`, so that a
 * constant image stays constant and [1,1]/2 repeats each pixel. These are the resample filters of
 * EDM (Karras et al., arXiv 2206.00364).
 */
#include <math.h>

#include "op.h"

/* ---- down ---- */

static few_node resample(few_graph *g, few_op op, few_node x, int n, const double *taps) {
  struct few_attr_resample a = {.n = n};
  double sum = 0;
  if (n < 2 || n > FEW_MAX_TAPS || n % 2)
    return few__graph_fail(g, FEW_E_INVALID, "resample filter: %d taps: give 2, 4 or 6", n);
  for (int k = 0; k < n; k++) sum += taps[k];
  if (!(fabs(sum) > 0) || !isfinite(sum))
    return few__graph_fail(g, FEW_E_INVALID,
                           "resample filter: the sum of the taps is %g: give taps whose sum is 1",
                           sum);
  for (int k = 0; k < n; k++) a.tap[k] = taps[k] / sum;
  return few__op_node(g, op, 1, &x, few__attr(&a, sizeof a));
}

few_node few_down(few_graph *g, few_node x, int n, const double *taps) {
  return resample(g, FEW_OP_DOWN, x, n, taps);
}

few_node few_up(few_graph *g, few_node x, int n, const double *taps) {
  return resample(g, FEW_OP_UP, x, n, taps);
}

static bool down_infer(few_graph *g, struct few_node_data *n) {
  n->shape = few_node_shape(g, n->in[0]);
  if (n->shape.rank != 4 || n->shape.dim[1] % 2 || n->shape.dim[2] % 2) {
    few__graph_fail(g, FEW_E_INVALID, "down: needs [N,H,W,C] with even H and W, got %s",
                    few__shape_text(n->shape).at);
    return false;
  }
  n->shape.dim[1] /= 2;
  n->shape.dim[2] /= 2;
  return true;
}

static few_node down_jvp(few_graph *g, few_node self, const few_node *dx) {
  return few__op_node(g, FEW_OP_DOWN, 1, dx, few__node(g, self)->attr);
}

static void down_vjp(few_graph *g, few_node self, few_node dy, const bool *need, few_node *dx) {
  FEW_UNUSED(need);
  dx[0] = few_scale(g, few__op_node(g, FEW_OP_UP, 1, &dy, few__node(g, self)->attr), 0.25);
}

static few_node down_example(few_graph *g, int k) {
  few_node x = few_input(g, "a", FEW_REAL, FEW_SHAPE(1, 4, 6, 2));
  return few_down(g, x, k ? 4 : 2, (const double[]){1, k ? 3 : 1, 3, 1});
}

const struct few_op_def few__op_down = {.name = "down",
                                        .arity = 1,
                                        .infer = down_infer,
                                        .jvp = down_jvp,
                                        .vjp = down_vjp,
                                        .example = down_example,
                                        .n_examples = 2};

/* ---- up ---- */

static bool up_infer(few_graph *g, struct few_node_data *n) {
  n->shape = few_node_shape(g, n->in[0]);
  if (n->shape.rank != 4) {
    few__graph_fail(g, FEW_E_INVALID, "up: needs [N,H,W,C], got %s", few__shape_text(n->shape).at);
    return false;
  }
  n->shape.dim[1] *= 2;
  n->shape.dim[2] *= 2;
  return true;
}

static few_node up_jvp(few_graph *g, few_node self, const few_node *dx) {
  return few__op_node(g, FEW_OP_UP, 1, dx, few__node(g, self)->attr);
}

static void up_vjp(few_graph *g, few_node self, few_node dy, const bool *need, few_node *dx) {
  FEW_UNUSED(need);
  dx[0] = few_scale(g, few__op_node(g, FEW_OP_DOWN, 1, &dy, few__node(g, self)->attr), 4);
}

static few_node up_example(few_graph *g, int k) {
  few_node x = few_input(g, "a", FEW_REAL, FEW_SHAPE(1, 2, 3, 2));
  return few_up(g, x, k ? 4 : 2, (const double[]){1, k ? 3 : 1, 3, 1});
}

const struct few_op_def few__op_up = {.name = "up",
                                      .arity = 1,
                                      .infer = up_infer,
                                      .jvp = up_jvp,
                                      .vjp = up_vjp,
                                      .example = up_example,
                                      .n_examples = 2};
