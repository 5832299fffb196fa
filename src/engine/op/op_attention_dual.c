/* attention_dual - value and tangent of attention in one pass over the keys, operands (qkv, dqkv),
 * result [2N,T,heads,D]: values, then tangents (Lu and Song, arXiv 2410.11081, appendix F). With
 * scores x = q k^T scale and p = softmax(x):
 *   t_x = (t_q k^T + q t_k^T) scale,   t_y = (p * t_x) v - rowsum(p * t_x) y + p t_v. */
#include "attention.h"

few_node few_attention_dual(few_graph *g, few_node qkv, few_node d, double scale) {
  return few__op_node(g, FEW_OP_ATTENTION_DUAL, 2, (few_node[]){qkv, d},
                      &(struct few_attr){.f = {scale}});
}

static bool infer(few_graph *g, struct few_node_data *n) {
  if (!few__attention_check(g, n)) return false;
  struct few_shape s = few_node_shape(g, n->in[0]);
  n->shape = FEW_SHAPE(2 * s.dim[0], s.dim[1], s.dim[3], s.dim[4]);
  if (few_shape_equal(s, few_node_shape(g, n->in[1]))) return true;
  few__graph_fail(g, FEW_E_INVALID, "attention_dual: tangent %s for qkv %s",
                  few__shape_text(few_node_shape(g, n->in[1])).at, few__shape_text(s).at);
  return false;
}

static few_node decompose(few_graph *g, few_node self) {
  const struct few_node_data n = *few__node(g, self);
  few_node y = few__attention_compose(g, n.in[0], n.attr.f[0]), dy = FEW_NONE;
  few_jvp(g, 1, &y, 1, &n.in[0], &n.in[1], &dy);
  return few_concat(g, 0, 2, (few_node[]){y, dy});
}

static double flops(const few_graph *g, const struct few_node_data *n) {
  return few__attention_flops(g, n, 6);
}

static few_node example(few_graph *g, int k) {
  FEW_UNUSED(k);
  struct few_shape s = FEW_SHAPE(1, 3, 3, 2, 2);
  return few_attention_dual(g, few_input(g, "a", FEW_REAL, s), few_input(g, "b", FEW_REAL, s), 0.7);
}

const struct few_op_def few__op_attention_dual = {.name = "attention_dual",
                                                  .arity = 2,
                                                  .infer = infer,
                                                  .decompose = decompose,
                                                  .flops = flops,
                                                  .example = example,
                                                  .n_examples = 1};
