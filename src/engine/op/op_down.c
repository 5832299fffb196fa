/* down - halve height and width with a separable filter: i[0] taps f[..] that sum to 1,
 *   y[i,j] = sum_{a,b} f[a] f[b] x[2i + a - (n/2 - 1), 2j + b - (n/2 - 1)],  outside zero.
 * [1,1]/2 is the mean of 2x2. The resample filter of EDM (Karras et al., arXiv 2206.00364). */
#include <math.h>

#include "op.h"

static few_node resample(few_graph *g, few_op op, few_node x, int n, const double *taps) {
  struct few_attr a = {.i = {n}};
  double sum = 0;
  if (n < 2 || n > FEW_COUNT(a.f) || n % 2)
    return few__graph_fail(g, FEW_E_INVALID, "resample filter: %d taps; 2, 4 or 6", n);
  for (int k = 0; k < n; k++) sum += taps[k];
  if (!(fabs(sum) > 0) || !isfinite(sum))
    return few__graph_fail(g, FEW_E_INVALID, "resample filter: taps of sum %g: give others", sum);
  for (int k = 0; k < n; k++) a.f[k] = taps[k] / sum;
  return few__op_node(g, op, 1, &x, &a);
}

few_node few_down(few_graph *g, few_node x, int n, const double *taps) {
  return resample(g, FEW_OP_DOWN, x, n, taps);
}

few_node few_up(few_graph *g, few_node x, int n, const double *taps) {
  return resample(g, FEW_OP_UP, x, n, taps);
}

static bool infer(few_graph *g, struct few_node_data *n) {
  n->shape = few_node_shape(g, n->in[0]);
  if (n->shape.rank != 4 || n->shape.dim[1] % 2 || n->shape.dim[2] % 2) {
    few__graph_fail(g, FEW_E_INVALID, "down: wants [N,H,W,C] with even H and W, got %s",
                    few__shape_text(n->shape).at);
    return false;
  }
  n->shape.dim[1] /= 2;
  n->shape.dim[2] /= 2;
  return true;
}

static few_node jvp(few_graph *g, few_node self, const few_node *dx) {
  struct few_attr a = few__node(g, self)->attr;
  return few__op_node(g, FEW_OP_DOWN, 1, dx, &a);
}

static void vjp(few_graph *g, few_node self, few_node dy, const bool *need, few_node *dx) {
  FEW_UNUSED(need);
  struct few_attr a = few__node(g, self)->attr;
  dx[0] = few_scale(g, few__op_node(g, FEW_OP_UP, 1, &dy, &a), 0.25);
}

static few_node example(few_graph *g, int k) {
  few_node x = few_input(g, "a", FEW_REAL, FEW_SHAPE(1, 4, 6, 2));
  return few_down(g, x, k ? 4 : 2, (const double[]){1, k ? 3 : 1, 3, 1});
}

const struct few_op_def few__op_down = {.name = "down",
                                        .arity = 1,
                                        .infer = infer,
                                        .jvp = jvp,
                                        .vjp = vjp,
                                        .example = example,
                                        .n_examples = 2};
