/* matmul - op(a) op(b), batched over leading dims, where op is the transpose or the identity.
 * b of rank 2 is shared by all leading indices of a. */
#include "op.h"

few_node few_matmul(few_graph *g, few_node a, few_node b, bool ta, bool tb) {
  return few__op_node(g, FEW_OP_MATMUL, 2, (few_node[]){a, b}, FEW_ATTR(matmul, ta, tb));
}

static bool infer(few_graph *g, struct few_node_data *n) {
  struct few_shape a = few_node_shape(g, n->in[0]), b = few_node_shape(g, n->in[1]);
  int ta = n->attr.matmul.ta, tb = n->attr.matmul.tb;
  bool shared = b.rank == 2 && a.rank > 2;
  bool ok = a.rank >= 2 && b.rank >= 2 && (shared ? !ta : a.rank == b.rank);
  for (int k = 0; ok && !shared && k < a.rank - 2; k++) ok = a.dim[k] == b.dim[k];
  if (ok) ok = a.dim[a.rank - 1 - ta] == b.dim[b.rank - 2 + tb];
  if (!ok) {
    few__graph_fail(g, FEW_E_INVALID, "matmul: %s%s times %s%s: inner and leading dims must agree",
                    few__shape_text(a).at, ta ? " transposed" : "", few__shape_text(b).at,
                    tb ? " transposed" : "");
    return false;
  }
  n->shape = a;
  n->shape.dim[a.rank - 2] = a.dim[a.rank - 2 + ta];
  n->shape.dim[a.rank - 1] = b.dim[b.rank - 1 - tb];
  return true;
}

static few_node jvp(few_graph *g, few_node self, const few_node *dx) {
  const struct few_node_data n = *few__node(g, self);
  bool ta = n.attr.matmul.ta, tb = n.attr.matmul.tb;
  few_node da = dx[0] == FEW_NONE ? FEW_NONE : few_matmul(g, dx[0], n.in[1], ta, tb);
  few_node db = dx[1] == FEW_NONE ? FEW_NONE : few_matmul(g, n.in[0], dx[1], ta, tb);
  return few__plus(g, da, db);
}

/* Leading dims folded into rows: [.., M, K] to [rows, K]. */
static few_node flat(few_graph *g, few_node x) {
  struct few_shape s = few_node_shape(g, x);
  int64_t last = s.dim[s.rank - 1];
  return few_reshape(g, x, FEW_SHAPE(few_shape_count(s) / last, last));
}

/* C = op(A) op(B):  dA = dC op(B)^T, transposed if A is; dB = op(A)^T dC, transposed if B is. */
static void vjp(few_graph *g, few_node self, few_node dy, const bool *need, few_node *dx) {
  const struct few_node_data n = *few__node(g, self);
  bool ta = n.attr.matmul.ta, tb = n.attr.matmul.tb;
  few_node a = n.in[0], b = n.in[1];
  if (need[0]) dx[0] = ta ? few_matmul(g, b, dy, tb, true) : few_matmul(g, dy, b, false, !tb);
  if (!need[1]) return;
  if (few_node_shape(g, b).rank < few_node_shape(g, a).rank) {
    a = flat(g, a);
    dy = flat(g, dy);
  }
  dx[1] = tb ? few_matmul(g, dy, a, true, ta) : few_matmul(g, a, dy, !ta, false);
}

static double flops(const few_graph *g, const struct few_node_data *n) {
  struct few_shape a = few_node_shape(g, n->in[0]);
  double inner = (double)a.dim[a.rank - 1 - n->attr.matmul.ta];
  return 2 * inner * (double)few_shape_count(n->shape);
}

static few_node example(few_graph *g, int k) {
  bool ta = k & 1, tb = k >> 1 & 1;
  if (k >= 6) { /* both batched */
    few_node a = few_input(g, "a", FEW_REAL, k & 1 ? FEW_SHAPE(2, 4, 3) : FEW_SHAPE(2, 3, 4));
    few_node b = few_input(g, "b", FEW_REAL, k & 1 ? FEW_SHAPE(2, 2, 4) : FEW_SHAPE(2, 4, 2));
    return few_matmul(g, a, b, k & 1, k & 1);
  }
  if (k >= 4) { /* b shared */
    few_node a = few_input(g, "a", FEW_REAL, FEW_SHAPE(2, 3, 4));
    few_node b = few_input(g, "b", FEW_REAL, k == 5 ? FEW_SHAPE(2, 4) : FEW_SHAPE(4, 2));
    return few_matmul(g, a, b, false, k == 5);
  }
  few_node a = few_input(g, "a", FEW_REAL, ta ? FEW_SHAPE(4, 3) : FEW_SHAPE(3, 4));
  few_node b = few_input(g, "b", FEW_REAL, tb ? FEW_SHAPE(2, 4) : FEW_SHAPE(4, 2));
  return few_matmul(g, a, b, ta, tb);
}

const struct few_op_def few__op_matmul = {.name = "matmul",
                                          .arity = 2,
                                          .infer = infer,
                                          .jvp = jvp,
                                          .vjp = vjp,
                                          .flops = flops,
                                          .example = example,
                                          .n_examples = 8};
