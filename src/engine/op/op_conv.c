/* conv - 2-D cross-correlation, x [N,H,W,Ci] with w [kh,kw,Ci,Co]; i[0] stride, i[1] zero padding.
 */
#include "conv.h"

/* A 1x1 kernel is a matrix product over channels. */
static few_node pointwise_conv(few_graph *g, few_node x, few_node w) {
  struct few_shape s = few_node_shape(g, w);
  return few_matmul(g, x, few_reshape(g, w, FEW_SHAPE(s.dim[2], s.dim[3])), false, false);
}

few_node few_conv(few_graph *g, few_node x, few_node w, int stride, int pad) {
  struct few_shape s = few_node_shape(g, w);
  if (s.rank == 4 && s.dim[0] == 1 && s.dim[1] == 1 && stride == 1 && pad == 0 &&
      few_node_shape(g, x).rank == 4)
    return pointwise_conv(g, x, w);
  return few__op_node(g, FEW_OP_CONV, 2, (few_node[]){x, w},
                      &(struct few_attr){.i = {stride, pad}});
}

double few__conv_flops(struct few_shape y, struct few_shape w) {
  return 2 * (double)few_shape_count(y) * (double)(w.dim[0] * w.dim[1] * w.dim[2]);
}

static bool infer(few_graph *g, struct few_node_data *n) {
  struct few_shape x = few_node_shape(g, n->in[0]), w = few_node_shape(g, n->in[1]);
  int stride = (int)n->attr.i[0], pad = (int)n->attr.i[1];
  int64_t ho = -1, wo = -1;
  if (x.rank == 4 && w.rank == 4 && x.dim[3] == w.dim[2]) {
    ho = few__conv_out(x.dim[1], w.dim[0], stride, pad);
    wo = few__conv_out(x.dim[2], w.dim[1], stride, pad);
  }
  if (ho < 1 || wo < 1) {
    few__graph_fail(g, FEW_E_INVALID,
                    "conv: images %s with kernel %s (stride %d, padding %d): wants [N,H,W,Ci] and "
                    "[kh,kw,Ci,Co] with equal Ci and a kernel no larger than the padded image",
                    few__shape_text(x).at, few__shape_text(w).at, stride, pad);
    return false;
  }
  n->shape = FEW_SHAPE(x.dim[0], ho, wo, w.dim[3]);
  return true;
}

static few_node jvp(few_graph *g, few_node self, const few_node *dx) {
  const struct few_node_data n = *few__node(g, self);
  int stride = (int)n.attr.i[0], pad = (int)n.attr.i[1];
  few_node a = dx[0] == FEW_NONE ? FEW_NONE : few_conv(g, dx[0], n.in[1], stride, pad);
  few_node b = dx[1] == FEW_NONE ? FEW_NONE : few_conv(g, n.in[0], dx[1], stride, pad);
  return few__plus(g, a, b);
}

static void vjp(few_graph *g, few_node self, few_node dy, const bool *need, few_node *dx) {
  const struct few_node_data n = *few__node(g, self);
  int stride = (int)n.attr.i[0], pad = (int)n.attr.i[1];
  struct few_shape x = few_node_shape(g, n.in[0]), w = few_node_shape(g, n.in[1]);
  if (need[0]) dx[0] = few_conv_dx(g, dy, n.in[1], stride, pad, x.dim[1], x.dim[2]);
  if (need[1]) dx[1] = few_conv_dw(g, n.in[0], dy, stride, pad, w.dim[0], w.dim[1]);
}

static double flops(const few_graph *g, const struct few_node_data *n) {
  return few__conv_flops(n->shape, few_node_shape(g, n->in[1]));
}

static few_node example(few_graph *g, int k) {
  few_node x = few_input(g, "a", FEW_REAL, FEW_SHAPE(2, 4, 5, 2));
  few_node w = few_input(g, "b", FEW_REAL, k == 2 ? FEW_SHAPE(2, 2, 2, 3) : FEW_SHAPE(3, 3, 2, 3));
  return few_conv(g, x, w, k == 0 ? 1 : 2, k == 2 ? 0 : 1);
}

const struct few_op_def few__op_conv = {.name = "conv",
                                        .arity = 2,
                                        .infer = infer,
                                        .jvp = jvp,
                                        .vjp = vjp,
                                        .flops = flops,
                                        .example = example,
                                        .n_examples = 3};
