/* conv_dx - transpose of conv with respect to its images: operands (dy, w); i[0] stride, i[1]
 * padding, i[2], i[3] height and width of the images. Also the transposed convolution of networks.
 */
#include "conv.h"

few_node few_conv_dx(few_graph *g, few_node dy, few_node w, int stride, int pad, int64_t h,
                     int64_t wd) {
  return few__op_node(g, FEW_OP_CONV_DX, 2, (few_node[]){dy, w},
                      &(struct few_attr){.i = {stride, pad, h, wd}});
}

static bool infer(few_graph *g, struct few_node_data *n) {
  struct few_shape y = few_node_shape(g, n->in[0]), w = few_node_shape(g, n->in[1]);
  int stride = (int)n->attr.i[0], pad = (int)n->attr.i[1];
  int64_t h = n->attr.i[2], wd = n->attr.i[3];
  bool ok = y.rank == 4 && w.rank == 4 && y.dim[3] == w.dim[3] &&
            few__conv_out(h, w.dim[0], stride, pad) == y.dim[1] &&
            few__conv_out(wd, w.dim[1], stride, pad) == y.dim[2];
  if (!ok) {
    few__graph_fail(g, FEW_E_INVALID,
                    "conv_dx: %s is no result of a convolution of %lldx%lld images with kernel %s "
                    "(stride %d, padding %d)",
                    few__shape_text(y).at, (long long)h, (long long)wd, few__shape_text(w).at,
                    stride, pad);
    return false;
  }
  n->shape = FEW_SHAPE(y.dim[0], h, wd, w.dim[2]);
  return true;
}

static few_node same(few_graph *g, const struct few_node_data *n, few_node dy, few_node w) {
  return few__op_node(g, FEW_OP_CONV_DX, 2, (few_node[]){dy, w}, &n->attr);
}

static few_node jvp(few_graph *g, few_node self, const few_node *dx) {
  const struct few_node_data n = *few__node(g, self);
  few_node a = dx[0] == FEW_NONE ? FEW_NONE : same(g, &n, dx[0], n.in[1]);
  few_node b = dx[1] == FEW_NONE ? FEW_NONE : same(g, &n, n.in[0], dx[1]);
  return few__plus(g, a, b);
}

static void vjp(few_graph *g, few_node self, few_node c, const bool *need, few_node *dx) {
  const struct few_node_data n = *few__node(g, self);
  int stride = (int)n.attr.i[0], pad = (int)n.attr.i[1];
  struct few_shape w = few_node_shape(g, n.in[1]);
  if (need[0]) dx[0] = few_conv(g, c, n.in[1], stride, pad);
  if (need[1]) dx[1] = few_conv_dw(g, c, n.in[0], stride, pad, w.dim[0], w.dim[1]);
}

static double flops(const few_graph *g, const struct few_node_data *n) {
  return few__conv_flops(few_node_shape(g, n->in[0]), few_node_shape(g, n->in[1]));
}

static few_node example(few_graph *g, int k) {
  few_node y = few_input(g, "a", FEW_REAL, k ? FEW_SHAPE(2, 2, 3, 3) : FEW_SHAPE(2, 4, 5, 3));
  few_node w = few_input(g, "b", FEW_REAL, FEW_SHAPE(3, 3, 2, 3));
  return few_conv_dx(g, y, w, k ? 2 : 1, 1, 4, 5);
}

const struct few_op_def few__op_conv_dx = {.name = "conv_dx",
                                           .arity = 2,
                                           .infer = infer,
                                           .jvp = jvp,
                                           .vjp = vjp,
                                           .flops = flops,
                                           .example = example,
                                           .n_examples = 2};
