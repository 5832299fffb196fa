/* op_conv.c - 2-D cross-correlation and its two transposes.
 *
 * With images x [N,H,W,Ci], a kernel w [kh,kw,Ci,Co] and a cotangent d of the result, let
 *
 *     T(x, w, d) = sum of d * conv(x, w).
 *
 * conv(x, w) is the gradient of T with respect to d, conv_dx(d, w) with respect to x, and
 * conv_dw(x, d) with respect to w. T is linear in each of the three, so the derivative of one of
 * these ops is another one of them: the triple is closed. conv_dx is also the transposed
 * convolution of networks.
 */
#include "op.h"

/* Side of the result of a convolution, or -1 if the kernel does not fit. */
static int64_t conv_out(int64_t in, int64_t kernel, int stride, int pad) {
  int64_t room = in + 2 * (int64_t)pad - kernel;
  return room < 0 || stride < 1 || pad < 0 || kernel < 1 ? -1 : room / stride + 1;
}

/* ---- conv ---- */

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
  return few__op_node(g, FEW_OP_CONV, 2, (few_node[]){x, w}, FEW_ATTR(conv, stride, pad, 0, 0));
}

static double flops_of(struct few_shape y, struct few_shape w) {
  assert(y.rank == 4 && w.rank == 4);
  return 2 * (double)few_shape_count(y) * (double)(w.dim[0] * w.dim[1] * w.dim[2]);
}

static bool conv_infer(few_graph *g, struct few_node_data *n) {
  struct few_shape x = few_node_shape(g, n->in[0]), w = few_node_shape(g, n->in[1]);
  const int stride = n->attr.conv.stride, pad = n->attr.conv.pad;
  int64_t ho = -1, wo = -1;
  if (x.rank == 4 && w.rank == 4 && x.dim[3] == w.dim[2]) {
    ho = conv_out(x.dim[1], w.dim[0], stride, pad);
    wo = conv_out(x.dim[2], w.dim[1], stride, pad);
  }
  if (ho < 1 || wo < 1) {
    few__graph_fail(g, FEW_E_INVALID,
                    "conv: images %s with kernel %s (stride %d, padding %d): needs [N,H,W,Ci] and "
                    "[kh,kw,Ci,Co] with equal Ci and a kernel no larger than the padded image",
                    few__shape_text(x).at, few__shape_text(w).at, stride, pad);
    return false;
  }
  n->shape = FEW_SHAPE(x.dim[0], ho, wo, w.dim[3]);
  return true;
}

static few_node conv_jvp(few_graph *g, few_node self, const few_node *dx) {
  const struct few_node_data n = *few__node(g, self);
  const int stride = n.attr.conv.stride, pad = n.attr.conv.pad;
  few_node a = dx[0] == FEW_NONE ? FEW_NONE : few_conv(g, dx[0], n.in[1], stride, pad);
  few_node b = dx[1] == FEW_NONE ? FEW_NONE : few_conv(g, n.in[0], dx[1], stride, pad);
  return few__plus(g, a, b);
}

static void conv_vjp(few_graph *g, few_node self, few_node dy, const bool *need, few_node *dx) {
  const struct few_node_data n = *few__node(g, self);
  const int stride = n.attr.conv.stride, pad = n.attr.conv.pad;
  struct few_shape x = few_node_shape(g, n.in[0]), w = few_node_shape(g, n.in[1]);
  if (need[0]) dx[0] = few_conv_dx(g, dy, n.in[1], stride, pad, x.dim[1], x.dim[2]);
  if (need[1]) dx[1] = few_conv_dw(g, n.in[0], dy, stride, pad, w.dim[0], w.dim[1]);
}

static double conv_flops(const few_graph *g, const struct few_node_data *n) {
  return flops_of(n->shape, few_node_shape(g, n->in[1]));
}

static few_node conv_example(few_graph *g, int k) {
  few_node x = few_input(g, "a", FEW_REAL, FEW_SHAPE(2, 4, 5, 2));
  few_node w = few_input(g, "b", FEW_REAL, k == 2 ? FEW_SHAPE(2, 2, 2, 3) : FEW_SHAPE(3, 3, 2, 3));
  return few_conv(g, x, w, k == 0 ? 1 : 2, k == 2 ? 0 : 1);
}

const struct few_op_def few__op_conv = {.name = "conv",
                                        .arity = 2,
                                        .infer = conv_infer,
                                        .jvp = conv_jvp,
                                        .vjp = conv_vjp,
                                        .flops = conv_flops,
                                        .example = conv_example,
                                        .n_examples = 3};

/* ---- conv_dx: operands (d, w) ---- */

few_node few_conv_dx(few_graph *g, few_node dy, few_node w, int stride, int pad, int64_t h,
                     int64_t wd) {
  return few__op_node(g, FEW_OP_CONV_DX, 2, (few_node[]){dy, w},
                      FEW_ATTR(conv, stride, pad, h, wd));
}

static bool conv_dx_infer(few_graph *g, struct few_node_data *n) {
  struct few_shape y = few_node_shape(g, n->in[0]), w = few_node_shape(g, n->in[1]);
  const int stride = n->attr.conv.stride, pad = n->attr.conv.pad;
  const int64_t h = n->attr.conv.h, wd = n->attr.conv.w;
  bool ok = y.rank == 4 && w.rank == 4 && y.dim[3] == w.dim[3] &&
            conv_out(h, w.dim[0], stride, pad) == y.dim[1] &&
            conv_out(wd, w.dim[1], stride, pad) == y.dim[2];
  if (!ok) {
    few__graph_fail(
        g, FEW_E_INVALID,
        "conv_dx: %s is not the shape of a convolution of %lldx%lld images with kernel %s "
        "(stride %d, padding %d)",
        few__shape_text(y).at, (long long)h, (long long)wd, few__shape_text(w).at, stride, pad);
    return false;
  }
  n->shape = FEW_SHAPE(y.dim[0], h, wd, w.dim[2]);
  return true;
}

static few_node conv_dx_same(few_graph *g, const struct few_node_data *n, few_node dy, few_node w) {
  return few__op_node(g, FEW_OP_CONV_DX, 2, (few_node[]){dy, w}, n->attr);
}

static few_node conv_dx_jvp(few_graph *g, few_node self, const few_node *dx) {
  const struct few_node_data n = *few__node(g, self);
  few_node a = dx[0] == FEW_NONE ? FEW_NONE : conv_dx_same(g, &n, dx[0], n.in[1]);
  few_node b = dx[1] == FEW_NONE ? FEW_NONE : conv_dx_same(g, &n, n.in[0], dx[1]);
  return few__plus(g, a, b);
}

static void conv_dx_vjp(few_graph *g, few_node self, few_node c, const bool *need, few_node *dx) {
  const struct few_node_data n = *few__node(g, self);
  const int stride = n.attr.conv.stride, pad = n.attr.conv.pad;
  struct few_shape w = few_node_shape(g, n.in[1]);
  if (need[0]) dx[0] = few_conv(g, c, n.in[1], stride, pad);
  if (need[1]) dx[1] = few_conv_dw(g, c, n.in[0], stride, pad, w.dim[0], w.dim[1]);
}

static double conv_dx_flops(const few_graph *g, const struct few_node_data *n) {
  return flops_of(few_node_shape(g, n->in[0]), few_node_shape(g, n->in[1]));
}

static few_node conv_dx_example(few_graph *g, int k) {
  few_node y = few_input(g, "a", FEW_REAL, k ? FEW_SHAPE(2, 2, 3, 3) : FEW_SHAPE(2, 4, 5, 3));
  few_node w = few_input(g, "b", FEW_REAL, FEW_SHAPE(3, 3, 2, 3));
  return few_conv_dx(g, y, w, k ? 2 : 1, 1, 4, 5);
}

const struct few_op_def few__op_conv_dx = {.name = "conv_dx",
                                           .arity = 2,
                                           .infer = conv_dx_infer,
                                           .jvp = conv_dx_jvp,
                                           .vjp = conv_dx_vjp,
                                           .flops = conv_dx_flops,
                                           .example = conv_dx_example,
                                           .n_examples = 2};

/* ---- conv_dw: operands (x, d) ---- */

few_node few_conv_dw(few_graph *g, few_node x, few_node dy, int stride, int pad, int64_t kh,
                     int64_t kw) {
  return few__op_node(g, FEW_OP_CONV_DW, 2, (few_node[]){x, dy},
                      FEW_ATTR(conv, stride, pad, kh, kw));
}

static bool conv_dw_infer(few_graph *g, struct few_node_data *n) {
  struct few_shape x = few_node_shape(g, n->in[0]), y = few_node_shape(g, n->in[1]);
  const int stride = n->attr.conv.stride, pad = n->attr.conv.pad;
  const int64_t kh = n->attr.conv.h, kw = n->attr.conv.w;
  bool ok = x.rank == 4 && y.rank == 4 && x.dim[0] == y.dim[0] &&
            conv_out(x.dim[1], kh, stride, pad) == y.dim[1] &&
            conv_out(x.dim[2], kw, stride, pad) == y.dim[2];
  if (!ok) {
    few__graph_fail(
        g, FEW_E_INVALID,
        "conv_dw: %s is not the shape of a convolution of images %s with a %lldx%lld kernel "
        "(stride %d, padding %d)",
        few__shape_text(y).at, few__shape_text(x).at, (long long)kh, (long long)kw, stride, pad);
    return false;
  }
  n->shape = FEW_SHAPE(kh, kw, x.dim[3], y.dim[3]);
  return true;
}

static few_node conv_dw_same(few_graph *g, const struct few_node_data *n, few_node x, few_node dy) {
  return few__op_node(g, FEW_OP_CONV_DW, 2, (few_node[]){x, dy}, n->attr);
}

static few_node conv_dw_jvp(few_graph *g, few_node self, const few_node *dx) {
  const struct few_node_data n = *few__node(g, self);
  few_node a = dx[0] == FEW_NONE ? FEW_NONE : conv_dw_same(g, &n, dx[0], n.in[1]);
  few_node b = dx[1] == FEW_NONE ? FEW_NONE : conv_dw_same(g, &n, n.in[0], dx[1]);
  return few__plus(g, a, b);
}

static void conv_dw_vjp(few_graph *g, few_node self, few_node c, const bool *need, few_node *dx) {
  const struct few_node_data n = *few__node(g, self);
  const int stride = n.attr.conv.stride, pad = n.attr.conv.pad;
  struct few_shape x = few_node_shape(g, n.in[0]);
  if (need[0]) dx[0] = few_conv_dx(g, n.in[1], c, stride, pad, x.dim[1], x.dim[2]);
  if (need[1]) dx[1] = few_conv(g, n.in[0], c, stride, pad);
}

static double conv_dw_flops(const few_graph *g, const struct few_node_data *n) {
  return flops_of(few_node_shape(g, n->in[1]), n->shape);
}

static few_node conv_dw_example(few_graph *g, int k) {
  few_node x = few_input(g, "a", FEW_REAL, FEW_SHAPE(2, 4, 5, 2));
  few_node y = few_input(g, "b", FEW_REAL, k ? FEW_SHAPE(2, 2, 3, 3) : FEW_SHAPE(2, 4, 5, 3));
  return few_conv_dw(g, x, y, k ? 2 : 1, 1, 3, 3);
}

const struct few_op_def few__op_conv_dw = {.name = "conv_dw",
                                           .arity = 2,
                                           .infer = conv_dw_infer,
                                           .jvp = conv_dw_jvp,
                                           .vjp = conv_dw_vjp,
                                           .flops = conv_dw_flops,
                                           .example = conv_dw_example,
                                           .n_examples = 2};
