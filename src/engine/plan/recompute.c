/* recompute.c - rematerialisation: values that the backward pass computes a second time.
 *
 * A value that the backward pass reads must usually be kept from the forward pass. The operands of
 * convolutions and products have to be kept. But normalised values, their modulations and masks are
 * cheap: a fused program of the backward pass can compute them again from values that are kept
 * anyway. That takes less time than writing them in one pass and reading them in the other, and
 * needs no memory.
 *
 * The backward pass is everything that is scheduled after the first output, the loss.
 */
#include "plan_internal.h"

/* Longest chain of recomputed nodes for one reader. */
enum { DEEPEST = 6 };

struct recompute {
  struct planning *p;
  int *at;    /* position of a node in the schedule */
  int border; /* position of the first output in the schedule */
  bool *kept; /* must be in memory for the backward pass */
  int *depth; /* length of the chain of recomputed nodes that ends with this one */
};

/* A node of the backward pass that is not pointwise, or has another shape than its operand, needs
 * the operand in memory. */
static void find_kept(struct recompute *h) {
  struct planning *p = h->p;
  for (int i = h->border + 1; i < p->n_order; i++) {
    few_node v = p->order[i];
    const struct few_node_data *d = few__node(p->g, v);
    bool pointwise = few__plan_is_pointwise(p->g, v);
    for (int k = 0; k < d->n_in; k++) {
      few_node u = few__plan_canon(p->g, d->in[k]), root = p->root[u];
      if (!pointwise || u != root || !few_shape_equal(few_node_shape(p->g, u), d->shape))
        h->kept[root] = true;
    }
  }
  for (int i = 0; i < p->n_out; i++) h->kept[p->root[few__plan_canon(p->g, p->out[i])]] = true;
}

static bool is_source(few_op op) {
  return op == FEW_OP_INPUT || op == FEW_OP_PARAM || op == FEW_OP_FILL || op == FEW_OP_CONST;
}

/* Whether a program of the backward pass that computes v again can have its operand u: from memory,
 * or by computing u again too. If u has at most 1/8 of v's elements, keeping u is cheap, so u
 * counts as available. If v is a norm, u must be in memory, because the statistics are computed
 * before the program runs. */
static bool is_at_hand(const struct recompute *h, few_node v, few_node u) {
  const struct planning *p = h->p;
  struct few_shape sv = few_node_shape(p->g, v), su = few_node_shape(p->g, u);
  if (h->kept[p->root[u]] || is_source(few__op(p->g, u))) return true;
  if (!few__plan_is_pointwise(p->g, v)) return false;
  if (p->recomputed[u] && few_shape_equal(su, sv)) return h->depth[u] < DEEPEST;
  return few_shape_count(su) * 8 <= few_shape_count(sv);
}

static void choose(struct recompute *h) {
  struct planning *p = h->p;
  for (int i = 0; i < h->border; i++) {
    few_node v = p->order[i];
    const struct few_node_data *d = few__node(p->g, v);
    if (p->root[v] != v || h->kept[v] || is_source(d->op) || !few__plan_joins(p, v)) continue;
    p->recomputed[v] = true;
    h->depth[v] = 1;
    for (int k = 0; k < d->n_in; k++) {
      few_node u = few__plan_canon(p->g, d->in[k]);
      if (!is_at_hand(h, v, u)) p->recomputed[v] = false;
      if (p->recomputed[u] && h->depth[u] >= h->depth[v]) h->depth[v] = h->depth[u] + 1;
    }
  }
}

few_status few__plan_recompute(struct planning *p) {
  few_ctx *ctx = p->plan->ctx;
  int n = few_graph_size(p->g);
  struct recompute h = {.p = p};
  few_status st;
  FEW_GOTO(FEW_NEW(ctx, &p->recomputed, n));
  FEW_GOTO(FEW_NEW(ctx, &p->late, n));
  FEW_GOTO(FEW_NEW(ctx, &h.at, n));
  FEW_GOTO(FEW_NEW(ctx, &h.kept, n));
  FEW_GOTO(FEW_NEW(ctx, &h.depth, n));
  for (int i = 0; i < p->n_order; i++) h.at[p->order[i]] = i;
  h.border = p->n_out ? h.at[few__plan_canon(p->g, p->out[0])] : p->n_order;
  assert(0 <= h.border && h.border <= p->n_order);
  for (int i = h.border + 1; i < p->n_order; i++) p->late[p->order[i]] = true;
  find_kept(&h);
  choose(&h);
out:
  few__free(ctx, h.at);
  few__free(ctx, h.kept);
  few__free(ctx, h.depth);
  return st;
}
