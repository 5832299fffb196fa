/* attention_grad - cotangent of qkv, operands (qkv, dy); scores are recomputed a block of queries
 * at a time. With p = softmax(q k^T scale), dp = dy v^T: ds = p * (dp - rowsum(p * dp)) scale,  dq
 * = ds k,  dk = ds^T q,  dv = p^T dy. */
#include "attention.h"

few_node few_attention_grad(few_graph *g, few_node qkv, few_node dy, double scale) {
  return few__op_node(g, FEW_OP_ATTENTION_GRAD, 2, (few_node[]){qkv, dy},
                      &(struct few_attr){.f = {scale}});
}

static bool infer(few_graph *g, struct few_node_data *n) {
  if (!few__attention_check(g, n)) return false;
  struct few_shape s = few_node_shape(g, n->in[0]);
  n->shape = s;
  if (few_shape_equal(FEW_SHAPE(s.dim[0], s.dim[1], s.dim[3], s.dim[4]),
                      few_node_shape(g, n->in[1])))
    return true;
  few__graph_fail(g, FEW_E_INVALID, "attention_grad: cotangent %s for qkv %s",
                  few__shape_text(few_node_shape(g, n->in[1])).at, few__shape_text(s).at);
  return false;
}

static few_node decompose(few_graph *g, few_node self) {
  const struct few_node_data n = *few__node(g, self);
  few_node y = few__attention_compose(g, n.in[0], n.attr.f[0]), dx = FEW_NONE;
  few_vjp(g, 1, &y, &n.in[1], 1, &n.in[0], &dx);
  return dx;
}

static double flops(const few_graph *g, const struct few_node_data *n) {
  return few__attention_flops(g, n, 5);
}

static few_node example(few_graph *g, int k) {
  FEW_UNUSED(k);
  return few_attention_grad(g, few_input(g, "a", FEW_REAL, FEW_SHAPE(1, 3, 3, 2, 2)),
                            few_input(g, "b", FEW_REAL, FEW_SHAPE(1, 3, 2, 2)), 0.7);
}

const struct few_op_def few__op_attention_grad = {.name = "attention_grad",
                                                  .arity = 2,
                                                  .infer = infer,
                                                  .decompose = decompose,
                                                  .flops = flops,
                                                  .example = example,
                                                  .n_examples = 1};
