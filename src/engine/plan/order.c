/* order.c - the nodes that the outputs need, the owners of their bytes, and the order they run in.
 *
 * If a plan needs both the value and the dual of one attention, the value "rides": it is a view of
 * the dual's first half and is not computed a second time.
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

/* Whether node `to` depends on node `from`. seen[nodes] is scratch. */
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

/* The live attention_dual of the same operands, or FEW_NONE. A dual whose tangent was computed from
 * the value itself (with a seed such as F(x)) runs after that value and cannot provide it. */
static few_node find_dual(const struct planning *p, few_node attention, bool *seen) {
  const struct few_node_data *a = few__node(p->g, attention);
  for (few_node v = a->in[0] + 1; v < few_graph_size(p->g); v++) {
    if (!p->live[v] || few__op(p->g, v) != FEW_OP_ATTENTION_DUAL) continue;
    const struct few_node_data *d = few__node(p->g, v);
    if (d->in[0] == a->in[0] && d->attr.attention.scale == a->attr.attention.scale &&
        (v < attention || !depends(p, v, attention, seen)))
      return v;
  }
  return FEW_NONE;
}

/* A slice is one run of bytes, and so a view, when every dim before its axis is 1. */
static bool contiguous_slice(const struct few_node_data *d) {
  assert(d->attr.slice.axis < d->shape.rank);
  for (int k = 0; k < d->attr.slice.axis; k++)
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
      int64_t inner = few_shape_count(d->shape) / d->shape.dim[d->attr.slice.axis];
      of = d->in[0];
      offset = (size_t)(d->attr.slice.start * inner);
    }
    if (p->live[v] && d->op == FEW_OP_ATTENTION) of = find_dual(p, v, seen);
    p->root[v] = of == FEW_NONE ? v : of;
    p->view_offset[v] = offset;
  }
  few__free(ctx, seen);
  return FEW_OK;
}

/* Follows views to the node that owns the bytes. A riding attention points to a later node, so this
 * runs after all links are known. */
static void collapse_views(struct planning *p) {
  int n = few_graph_size(p->g);
  for (few_node v = 0; v < n; v++) {
    few_node r = v;
    size_t offset = 0;
    for (; p->root[r] != r; r = p->root[r]) offset += p->view_offset[r];
    p->view_offset[v] = offset;
    assert(p->root[r] == r);
    p->root[v] = r; /* nodes after v may pass through v: r is its own root, offset is complete */
  }
}

struct walk {
  struct planning *p;
  few_node *stack;
  char *state;      /* 0 new, 1 on the stack, 2 done */
  few_node *latest; /* of a node and everything it depends on: the last that is not pointwise */
};

static void find_latest(struct walk *w) {
  for (few_node v = 0; v < few_graph_size(w->p->g); v++) {
    const struct few_node_data *d = few__node(w->p->g, v);
    bool light = few__op_def(d->op)->flags & (FEW_OP_POINTWISE | FEW_OP_VIEW);
    w->latest[v] = light ? 0 : v;
    for (int k = 0; k < d->n_in; k++)
      if (w->latest[d->in[k]] > w->latest[v]) w->latest[v] = w->latest[d->in[k]];
  }
}

static void push_operands(struct walk *w, few_node v, int *top, bool latest_first) {
  const struct few_node_data *d = few__node(w->p->g, v);
  int first = *top;
  for (int k = d->n_in - 1; k >= 0; k--) {
    few_node u = few__plan_canon(w->p->g, d->in[k]);
    if (w->state[u]) continue;
    int at = (*top)++;
    for (; latest_first && at > first && w->latest[w->stack[at - 1]] > w->latest[u]; at--)
      w->stack[at] = w->stack[at - 1];
    assert(*top <= few_graph_size(w->p->g) * (FEW_MAX_IN + 1));
    w->stack[at] = u;
  }
}

/* Visits everything that `start` needs and then `start` itself, depth first with an explicit
 * stack. */
static void visit(struct walk *w, few_node start, bool latest_first) {
  struct planning *p = w->p;
  int top = 0;
  w->stack[top++] = start;
  while (top) {
    few_node v = w->stack[top - 1];
    if (w->state[v] == 0) {
      w->state[v] = 1;
      bool rides = few__op(p->g, v) == FEW_OP_ATTENTION && p->root[v] != v;
      if (p->root[v] != v && !w->state[p->root[v]]) w->stack[top++] = p->root[v];
      if (!rides) push_operands(w, v, &top, latest_first); /* its dual computes a riding one */
      continue;
    }
    top--;
    assert(p->n_order < few_graph_size(p->g));
    if (w->state[v] == 1) p->order[p->n_order++] = v;
    w->state[v] = 2;
  }
}

/* Nodes are in the order of construction, except for those that the first output needs: there, the
 * operand that depends on the latest kernel comes first. Tangents are built after all values, so
 * this interleaves values and tangents layer by layer. A tangent then reads its value while it is
 * still in the cache, pointwise work of both fuses, and without a backward pass no value is kept
 * longer than its layer. The backward pass keeps its order, with each weight's gradient beside the
 * cotangent that it needs. */
static few_status schedule(struct planning *p) {
  int n = few_graph_size(p->g);
  few_ctx *ctx = p->plan->ctx;
  struct walk w = {.p = p};
  few_status st;
  FEW_GOTO(FEW_NEW(ctx, &p->order, n));
  FEW_GOTO(FEW_NEW(ctx, &w.stack, (size_t)n * (FEW_MAX_IN + 1)));
  FEW_GOTO(FEW_NEW(ctx, &w.state, n));
  FEW_GOTO(FEW_NEW(ctx, &w.latest, n));
  find_latest(&w);
  if (p->n_out > 0) visit(&w, few__plan_canon(p->g, p->out[0]), true);
  for (few_node v = 0; v < n; v++)
    if (p->live[v] && !w.state[v]) visit(&w, v, false);
out:
  few__free(ctx, w.stack);
  few__free(ctx, w.state);
  few__free(ctx, w.latest);
  return st;
}

static bool is_light(const struct planning *p, few_node v) {
  few_op op = few__op(p->g, v);
  return few__op_def(op)->flags & (FEW_OP_POINTWISE | FEW_OP_VIEW) || op == FEW_OP_NORM ||
         op == FEW_OP_NORM_TANGENT;
}

/* Moves light nodes that follow a kernel but do not depend on it before the kernel. The pointwise
 * work of a tangent is listed after the kernel of its value; there it would be too late to fuse
 * with the pointwise work of the value. */
static few_status float_light_nodes(struct planning *p) {
  few_ctx *ctx = p->plan->ctx;
  bool *waits; /* depends on the kernel in question */
  few_node *late;
  FEW_TRY(FEW_NEW(ctx, &waits, few_graph_size(p->g)));
  few_status st = FEW_NEW(ctx, &late, p->n_order);
  for (int i = 0; !st && i < p->n_order; i++) {
    if (is_light(p, p->order[i])) continue;
    int n_late = 0, to = i, j = i;
    do {
      few_node v = p->order[j];
      const struct few_node_data *d = few__node(p->g, v);
      waits[v] = j == i;
      for (int k = 0; k < d->n_in; k++)
        if (waits[few__plan_canon(p->g, d->in[k])]) waits[v] = true;
      if (waits[v])
        late[n_late++] = v;
      else
        p->order[to++] = v;
    } while (++j < p->n_order && is_light(p, p->order[j]));
    for (int k = 0; k < n_late; k++) {
      p->order[to + k] = late[k];
      waits[late[k]] = false;
    }
    i = to;
  }
  few__free(ctx, waits);
  few__free(ctx, late);
  return st;
}

few_status few__plan_order(struct planning *p) {
  FEW_TRY(mark_live(p));
  FEW_TRY(find_views(p));
  collapse_views(p);
  FEW_TRY(schedule(p));
  return float_light_nodes(p);
}
