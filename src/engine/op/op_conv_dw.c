/* conv_dw - transpose of conv with respect to its kernel: operands (x, dy); i[0] stride, i[1]
 * padding, i[2], i[3] height and width of the kernel. */
#include "conv.h"

few_node few_conv_dw(few_graph *g, few_node x, few_node dy, int stride, int pad, int64_t kh,
                     int64_t kw) {
  return few__op_node(g, FEW_OP_CONV_DW, 2, (few_node[]){x, dy},
                      &(struct few_attr){.i = {stride, pad, kh, kw}});
}

static bool infer(few_graph *g, struct few_node_data *n) {
  struct few_shape x = few_node_shape(g, n->in[0]), y = few_node_shape(g, n->in[1]);
  int stride = (int)n->attr.i[0], pad = (int)n->attr.i[1];
  int64_t kh = n->attr.i[2], kw = n->attr.i[3];
  bool ok = x.rank == 4 && y.rank == 4 && x.dim[0] == y.dim[0] &&
            few__conv_out(x.dim[1], kh, stride, pad) == y.dim[1] &&
            few__conv_out(x.dim[2], kw, stride, pad) == y.dim[2];
  if (!ok) {
    few__graph_fail(
        g, FEW_E_INVALID,
        "conv_dw: %s is no result of a convolution of images %s with a %lldx%lld kernel "
        "(stride %d, padding %d)",
        few__shape_text(y).at, few__shape_text(x).at, (long long)kh, (long long)kw, stride, pad);
    return false;
  }
  n->shape = FEW_SHAPE(kh, kw, x.dim[3], y.dim[3]);
  return true;
}

static few_node same(few_graph *g, const struct few_node_data *n, few_node x, few_node dy) {
  return few__op_node(g, FEW_OP_CONV_DW, 2, (few_node[]){x, dy}, &n->attr);
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
  struct few_shape x = few_node_shape(g, n.in[0]);
  if (need[0]) dx[0] = few_conv_dx(g, n.in[1], c, stride, pad, x.dim[1], x.dim[2]);
  if (need[1]) dx[1] = few_conv(g, n.in[0], c, stride, pad);
}

static double flops(const few_graph *g, const struct few_node_data *n) {
  return few__conv_flops(few_node_shape(g, n->in[1]), n->shape);
}

static few_node example(few_graph *g, int k) {
  few_node x = few_input(g, "a", FEW_REAL, FEW_SHAPE(2, 4, 5, 2));
  few_node y = few_input(g, "b", FEW_REAL, k ? FEW_SHAPE(2, 2, 3, 3) : FEW_SHAPE(2, 4, 5, 3));
  return few_conv_dw(g, x, y, k ? 2 : 1, 1, 3, 3);
}

const struct few_op_def few__op_conv_dw = {.name = "conv_dw",
                                           .arity = 2,
                                           .infer = infer,
                                           .jvp = jvp,
                                           .vjp = vjp,
                                           .flops = flops,
                                           .example = example,
                                           .n_examples = 2};
