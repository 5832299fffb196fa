/* op_attention.c - softmax(q k^T scale) v, its tangent and its cotangent. Each is fused, so no T x
 * T matrix is in memory (Dao et al., arXiv 2205.14135). The operand qkv is [N,T,3,heads,D].
 *
 * With scores x = q k^T scale, p = softmax(x), y = p v, and * by element:
 *
 *   attention_dual   y and its tangent in one pass over the keys (Lu and Song, arXiv 2410.11081,
 *                    appendix F), stacked on the batch axis:
 *                    t_x = (t_q k^T + q t_k^T) scale,
 *                    t_y = (p * t_x) v - rowsum(p * t_x) y + p t_v
 *   attention_grad   the cotangent of qkv. The scores are computed a second time, one block of
 *                    queries after another:
 *                    dp = dy v^T,  ds = p * (dp - rowsum(p * dp)) scale,
 *                    dq = ds k,  dk = ds^T q,  dv = p^T dy
 *
 * Both can be decomposed into products and softmax; their own derivatives are those of the
 * decomposition.
 */
#include "op.h"

/* ---- attention ---- */

few_node few_attention(few_graph *g, few_node qkv, double scale) {
  return few__op_node(g, FEW_OP_ATTENTION, 1, &qkv, FEW_ATTR(attention, scale));
}

static bool check(few_graph *g, const struct few_node_data *n) {
  struct few_shape s = few_node_shape(g, n->in[0]);
  if (s.rank == 5 && s.dim[2] == 3) return true;
  few__graph_fail(g, FEW_E_INVALID, "attention: needs qkv [N,T,3,heads,D], got %s",
                  few__shape_text(s).at);
  return false;
}

static double flops_of(const few_graph *g, const struct few_node_data *n, int products) {
  struct few_shape s = few_node_shape(g, n->in[0]);
  return 2.0 * products * (double)(s.dim[0] * s.dim[3] * s.dim[4]) * (double)s.dim[1] *
         (double)s.dim[1];
}

/* q, k or v as [N, heads, T, D]. */
static few_node part(few_graph *g, few_node qkv, int which) {
  struct few_shape s = few_node_shape(g, qkv);
  assert(0 <= which && which < 3);
  few_node x = few_slice(g, qkv, 2, which, 1);
  x = few_reshape(g, x, FEW_SHAPE(s.dim[0], s.dim[1], s.dim[3], s.dim[4]));
  return few_transpose(g, x, (int[]){0, 2, 1, 3});
}

static few_node compose(few_graph *g, few_node qkv, double scale) {
  few_node scores = few_matmul(g, part(g, qkv, 0), part(g, qkv, 1), false, true);
  few_node p = few_softmax(g, few_scale(g, scores, scale));
  return few_transpose(g, few_matmul(g, p, part(g, qkv, 2), false, false), (int[]){0, 2, 1, 3});
}

static bool attention_infer(few_graph *g, struct few_node_data *n) {
  if (!check(g, n)) return false;
  struct few_shape s = few_node_shape(g, n->in[0]);
  n->shape = FEW_SHAPE(s.dim[0], s.dim[1], s.dim[3], s.dim[4]);
  return true;
}

static few_node attention_jvp(few_graph *g, few_node self, const few_node *dx) {
  const struct few_node_data n = *few__node(g, self);
  few_node dual = few_attention_dual(g, n.in[0], dx[0], n.attr.attention.scale);
  return few_slice(g, dual, 0, n.shape.dim[0], n.shape.dim[0]);
}

static void attention_vjp(few_graph *g, few_node self, few_node dy, const bool *need,
                          few_node *dx) {
  FEW_UNUSED(need);
  const struct few_node_data n = *few__node(g, self);
  dx[0] = few_attention_grad(g, n.in[0], dy, n.attr.attention.scale);
}

static few_node attention_decompose(few_graph *g, few_node self) {
  const struct few_node_data n = *few__node(g, self);
  return compose(g, n.in[0], n.attr.attention.scale);
}

static double attention_flops(const few_graph *g, const struct few_node_data *n) {
  return flops_of(g, n, 2);
}

static few_node attention_example(few_graph *g, int k) {
  FEW_UNUSED(k);
  return few_attention(g, few_input(g, "a", FEW_REAL, FEW_SHAPE(2, 3, 3, 2, 2)), 0.7);
}

const struct few_op_def few__op_attention = {.name = "attention",
                                             .arity = 1,
                                             .infer = attention_infer,
                                             .jvp = attention_jvp,
                                             .vjp = attention_vjp,
                                             .decompose = attention_decompose,
                                             .flops = attention_flops,
                                             .example = attention_example,
                                             .n_examples = 1};

/* ---- attention_dual: operands (qkv, tangent of qkv) ---- */

few_node few_attention_dual(few_graph *g, few_node qkv, few_node d, double scale) {
  return few__op_node(g, FEW_OP_ATTENTION_DUAL, 2, (few_node[]){qkv, d},
                      FEW_ATTR(attention, scale));
}

static bool dual_infer(few_graph *g, struct few_node_data *n) {
  if (!check(g, n)) return false;
  struct few_shape s = few_node_shape(g, n->in[0]);
  n->shape = FEW_SHAPE(2 * s.dim[0], s.dim[1], s.dim[3], s.dim[4]);
  if (few_shape_equal(s, few_node_shape(g, n->in[1]))) return true;
  few__graph_fail(g, FEW_E_INVALID, "attention_dual: tangent %s for qkv %s",
                  few__shape_text(few_node_shape(g, n->in[1])).at, few__shape_text(s).at);
  return false;
}

static few_node dual_decompose(few_graph *g, few_node self) {
  const struct few_node_data n = *few__node(g, self);
  few_node y = compose(g, n.in[0], n.attr.attention.scale), dy = FEW_NONE;
  few_jvp(&dy, g, 1, &y, 1, &n.in[0], &n.in[1]);
  return few_concat(g, 0, 2, (few_node[]){y, dy});
}

static double dual_flops(const few_graph *g, const struct few_node_data *n) {
  return flops_of(g, n, 6);
}

static few_node dual_example(few_graph *g, int k) {
  FEW_UNUSED(k);
  struct few_shape s = FEW_SHAPE(1, 3, 3, 2, 2);
  return few_attention_dual(g, few_input(g, "a", FEW_REAL, s), few_input(g, "b", FEW_REAL, s), 0.7);
}

const struct few_op_def few__op_attention_dual = {.name = "attention_dual",
                                                  .arity = 2,
                                                  .infer = dual_infer,
                                                  .decompose = dual_decompose,
                                                  .flops = dual_flops,
                                                  .example = dual_example,
                                                  .n_examples = 1};

/* ---- attention_grad: operands (qkv, cotangent of y) ---- */

few_node few_attention_grad(few_graph *g, few_node qkv, few_node dy, double scale) {
  return few__op_node(g, FEW_OP_ATTENTION_GRAD, 2, (few_node[]){qkv, dy},
                      FEW_ATTR(attention, scale));
}

static bool grad_infer(few_graph *g, struct few_node_data *n) {
  if (!check(g, n)) return false;
  struct few_shape s = few_node_shape(g, n->in[0]);
  n->shape = s;
  if (few_shape_equal(FEW_SHAPE(s.dim[0], s.dim[1], s.dim[3], s.dim[4]),
                      few_node_shape(g, n->in[1])))
    return true;
  few__graph_fail(g, FEW_E_INVALID, "attention_grad: cotangent %s for qkv %s",
                  few__shape_text(few_node_shape(g, n->in[1])).at, few__shape_text(s).at);
  return false;
}

static few_node grad_decompose(few_graph *g, few_node self) {
  const struct few_node_data n = *few__node(g, self);
  few_node y = compose(g, n.in[0], n.attr.attention.scale), dx = FEW_NONE;
  few_vjp(&dx, g, 1, &y, &n.in[1], 1, &n.in[0]);
  return dx;
}

static double grad_flops(const few_graph *g, const struct few_node_data *n) {
  return flops_of(g, n, 5);
}

static few_node grad_example(few_graph *g, int k) {
  FEW_UNUSED(k);
  return few_attention_grad(g, few_input(g, "a", FEW_REAL, FEW_SHAPE(1, 3, 3, 2, 2)),
                            few_input(g, "b", FEW_REAL, FEW_SHAPE(1, 3, 2, 2)), 0.7);
}

const struct few_op_def few__op_attention_grad = {.name = "attention_grad",
                                                  .arity = 2,
                                                  .infer = grad_infer,
                                                  .decompose = grad_decompose,
                                                  .flops = grad_flops,
                                                  .example = grad_example,
                                                  .n_examples = 1};
