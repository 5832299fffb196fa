/* attention - softmax(q k^T scale) v for qkv [N,T,3,heads,D], fused: no T x T matrix in memory (Dao
 * et al., arXiv 2205.14135). Its tangent comes with the value (attention_dual). */
#include "attention.h"

few_node few_attention(few_graph *g, few_node qkv, double scale) {
  return few__op_node(g, FEW_OP_ATTENTION, 1, &qkv, &(struct few_attr){.f = {scale}});
}

bool few__attention_check(few_graph *g, const struct few_node_data *n) {
  struct few_shape s = few_node_shape(g, n->in[0]);
  if (s.rank == 5 && s.dim[2] == 3) return true;
  few__graph_fail(g, FEW_E_INVALID, "attention: wants qkv [N,T,3,heads,D], got %s",
                  few__shape_text(s).at);
  return false;
}

double few__attention_flops(const few_graph *g, const struct few_node_data *n, int products) {
  struct few_shape s = few_node_shape(g, n->in[0]);
  return 2.0 * products * (double)(s.dim[0] * s.dim[3] * s.dim[4]) * (double)s.dim[1] *
         (double)s.dim[1];
}

/* q, k or v as [N, heads, T, D]. */
static few_node part(few_graph *g, few_node qkv, int which) {
  struct few_shape s = few_node_shape(g, qkv);
  few_node x = few_slice(g, qkv, 2, which, 1);
  x = few_reshape(g, x, FEW_SHAPE(s.dim[0], s.dim[1], s.dim[3], s.dim[4]));
  return few_transpose(g, x, (int[]){0, 2, 1, 3});
}

few_node few__attention_compose(few_graph *g, few_node qkv, double scale) {
  few_node scores = few_matmul(g, part(g, qkv, 0), part(g, qkv, 1), false, true);
  few_node p = few_softmax(g, few_scale(g, scores, scale));
  return few_transpose(g, few_matmul(g, p, part(g, qkv, 2), false, false), (int[]){0, 2, 1, 3});
}

static bool infer(few_graph *g, struct few_node_data *n) {
  if (!few__attention_check(g, n)) return false;
  struct few_shape s = few_node_shape(g, n->in[0]);
  n->shape = FEW_SHAPE(s.dim[0], s.dim[1], s.dim[3], s.dim[4]);
  return true;
}

static few_node jvp(few_graph *g, few_node self, const few_node *dx) {
  const struct few_node_data n = *few__node(g, self);
  few_node dual = few_attention_dual(g, n.in[0], dx[0], n.attr.f[0]);
  return few_slice(g, dual, 0, n.shape.dim[0], n.shape.dim[0]);
}

static void vjp(few_graph *g, few_node self, few_node dy, const bool *need, few_node *dx) {
  FEW_UNUSED(need);
  const struct few_node_data n = *few__node(g, self);
  dx[0] = few_attention_grad(g, n.in[0], dy, n.attr.f[0]);
}

static few_node decompose(few_graph *g, few_node self) {
  const struct few_node_data n = *few__node(g, self);
  return few__attention_compose(g, n.in[0], n.attr.f[0]);
}

static double flops(const few_graph *g, const struct few_node_data *n) {
  return few__attention_flops(g, n, 2);
}

static few_node example(few_graph *g, int k) {
  FEW_UNUSED(k);
  return few_attention(g, few_input(g, "a", FEW_REAL, FEW_SHAPE(2, 3, 3, 2, 2)), 0.7);
}

const struct few_op_def few__op_attention = {.name = "attention",
                                             .arity = 1,
                                             .infer = infer,
                                             .jvp = jvp,
                                             .vjp = vjp,
                                             .decompose = decompose,
                                             .flops = flops,
                                             .example = example,
                                             .n_examples = 1};
