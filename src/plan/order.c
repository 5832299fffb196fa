/* order.c - which nodes are needed, whose bytes they are, and in which order they run.
 *
 * Order is construction order, except that attention rides with its tangent: where both the value
 * and the dual of the same attention are needed, the value is the dual's first half and nothing is
 * computed twice.
 */
#include "plan_internal.h"

few_node few__plan_canon(const few_graph *g, few_node n) {
  while (few__op(g, n) == FEW_OP_STOP) n = few__node(g, n)->in[0];
  return n;
}

static few_status mark_live(struct planning *p) {
  int n = few_graph_size(p->g);
  FEW_TRY(FEW_NEW(p->plan->ctx, &p->live, n));
  for (int i = 0; i < p->n_out; i++) {
    if (p->out[i] == FEW_NONE)
      return few__fail(p->plan->ctx, FEW_E_INVALID, "plan: output %d is missing", i);
    p->live[few__plan_canon(p->g, p->out[i])] = true;
  }
  for (few_node v = n - 1; v >= 0; v--) {
    if (!p->live[v]) continue;
    const struct few_node_data *d = few__node(p->g, v);
    for (int k = 0; k < d->n_in; k++) p->live[few__plan_canon(p->g, d->in[k])] = true;
  }
  return FEW_OK;
}

/* Does node `to` depend on node `from`? seen has room for one mark a node. */
static bool depends(const struct planning *p, few_node to, few_node from, bool *seen) {
  memset(seen + from, 0, (size_t)(to - from + 1) * sizeof *seen);
  seen[to] = true;
  for (few_node v = to; v > from; v--) {
    const struct few_node_data *d = few__node(p->g, v);
    for (int k = 0; seen[v] && k < d->n_in; k++)
      if (d->in[k] >= from) seen[d->in[k]] = true;
  }
  return seen[from];
}

/* The live attention_dual of the same operands, or FEW_NONE. One whose tangent was computed from
 * the value itself (a seed like F(x)) cannot bring that value. */
static few_node find_dual(const struct planning *p, few_node attention, bool *seen) {
  const struct few_node_data *a = few__node(p->g, attention);
  for (few_node v = a->in[0] + 1; v < few_graph_size(p->g); v++) {
    if (!p->live[v] || few__op(p->g, v) != FEW_OP_ATTENTION_DUAL) continue;
    const struct few_node_data *d = few__node(p->g, v);
    if (d->in[0] == a->in[0] && d->attr.f[0] == a->attr.f[0] &&
        (v < attention || !depends(p, v, attention, seen)))
      return v;
  }
  return FEW_NONE;
}

/* A slice is a view when everything before its axis is 1: then it is one run of bytes. */
static bool contiguous_slice(const struct few_node_data *d) {
  for (int k = 0; k < d->attr.i[0]; k++)
    if (d->shape.dim[k] != 1) return false;
  return true;
}

static few_status find_views(struct planning *p) {
  int n = few_graph_size(p->g);
  few_ctx *ctx = p->plan->ctx;
  FEW_TRY(FEW_NEW(ctx, &p->root, n));
  FEW_TRY(FEW_NEW(ctx, &p->view_offset, n));
  bool *seen;
  FEW_TRY(FEW_NEW(ctx, &seen, n));
  for (few_node v = 0; v < n; v++) {
    const struct few_node_data *d = few__node(p->g, v);
    few_node of = FEW_NONE;
    size_t offset = 0;
    if (few__op_def(d->op)->flags & FEW_OP_VIEW) of = d->in[0];
    if (d->op == FEW_OP_SLICE && contiguous_slice(d)) {
      int64_t inner = few_shape_count(d->shape) / d->shape.dim[d->attr.i[0]];
      of = d->in[0];
      offset = (size_t)(d->attr.i[1] * inner);
    }
    if (p->live[v] && d->op == FEW_OP_ATTENTION) of = find_dual(p, v, seen);
    p->root[v] = of == FEW_NONE ? v : of;
    p->view_offset[v] = offset;
  }
  few__free(ctx, seen);
  return FEW_OK;
}

/* Follow views to the node that owns the bytes. A riding attention points to a later node, so this
 * waits until all links are known. */
static void collapse_views(struct planning *p) {
  int n = few_graph_size(p->g);
  for (few_node v = 0; v < n; v++) {
    few_node r = v;
    size_t offset = 0;
    for (; p->root[r] != r; r = p->root[r]) offset += p->view_offset[r];
    p->view_offset[v] = offset;
    p->root[v] = r; /* nodes after v may pass through v: r is its own root, offset is complete */
  }
}

/* Depth-first with an explicit stack: operands before users, ties in construction order. */
static few_status schedule(struct planning *p) {
  int n = few_graph_size(p->g);
  few_ctx *ctx = p->plan->ctx;
  few_node *stack = NULL;
  char *state = NULL; /* 0 new, 1 on the stack, 2 done */
  few_status st;
  FEW_GOTO(FEW_NEW(ctx, &p->order, n));
  FEW_GOTO(FEW_NEW(ctx, &stack, (size_t)n * (FEW_MAX_IN + 1)));
  FEW_GOTO(FEW_NEW(ctx, &state, n));
  for (few_node start = 0; start < n; start++) {
    int top = 0;
    if (p->live[start]) stack[top++] = start;
    while (top) {
      few_node v = stack[top - 1];
      if (state[v] == 0) {
        state[v] = 1;
        const struct few_node_data *d = few__node(p->g, v);
        if (p->root[v] != v && state[p->root[v]] == 0) stack[top++] = p->root[v];
        if (d->op == FEW_OP_ATTENTION && p->root[v] != v) continue; /* its dual computes it */
        for (int k = d->n_in - 1; k >= 0; k--) {
          few_node u = few__plan_canon(p->g, d->in[k]);
          if (state[u] == 0) stack[top++] = u;
        }
        continue;
      }
      top--;
      if (state[v] == 1) p->order[p->n_order++] = v;
      state[v] = 2;
    }
  }
out:
  few__free(ctx, stack);
  few__free(ctx, state);
  return st;
}

few_status few__plan_order(struct planning *p) {
  FEW_TRY(mark_live(p));
  FEW_TRY(find_views(p));
  collapse_views(p);
  return schedule(p);
}
