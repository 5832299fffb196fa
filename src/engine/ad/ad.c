/* ad.c - forward and reverse derivatives as graph transforms.
 *
 * jvp walks from the inputs to the outputs, vjp from the outputs to the inputs. Both apply the rule
 * of each op on the way, and so append the derivative as nodes of the same graph. An op without a
 * rule is replaced by its decomposition, which is then differentiated. Only nodes between x and y
 * are visited.
 *
 * The x are independent variables, even where one was computed from another: nothing is propagated
 * through them. Rules rely on that. For example, norm_tangent(x, d) is differentiated with respect
 * to x and to d, although d may depend on x.
 */
#include "engine/op/op.h"

/* Whether d is zero or has the shape of the node of which it is the tangent or cotangent. */
static bool fits(const few_graph *g, few_node d, few_node of) {
  return d == FEW_NONE || few_graph_status(g) ||
         few_shape_equal(few_node_shape(g, d), few_node_shape(g, of));
}

/* (*out)[v] is true if node v depends on some x, and some y depends on v. */
static few_status mark_active(few_graph *g, int n_x, const few_node *x, int n_y, const few_node *y,
                              int n, bool **out) {
  few_ctx *ctx = few__graph_ctx(g);
  bool *active, *wanted;
  FEW_TRY(FEW_NEW(ctx, out, n));
  FEW_TRY(FEW_NEW(ctx, &wanted, n));
  active = *out;
  for (int i = 0; i < n_y; i++) wanted[y[i]] = true;
  for (few_node v = n - 1; v >= 0; v--) {
    const struct few_node_data *d = few__node(g, v);
    for (int k = 0; wanted[v] && k < d->n_in; k++) wanted[d->in[k]] = true;
  }
  for (int i = 0; i < n_x; i++) active[x[i]] = true;
  for (few_node v = 0; v < n; v++) {
    const struct few_node_data *d = few__node(g, v);
    if (active[v] || !wanted[v] || few__op_def(d->op)->flags & FEW_OP_FLAT) continue;
    for (int k = 0; k < d->n_in; k++) active[v] = active[v] || active[d->in[k]];
  }
  few__free(ctx, wanted);
  return FEW_OK;
}

static bool all_valid(few_graph *g, int n, const few_node *x) {
  for (int i = 0; i < n; i++)
    if (!few__node_is(g, x[i])) {
      few__graph_fail(g, FEW_E_INVALID, "derivative: node %d of the list is %s", i,
                      x[i] == FEW_NONE ? "missing" : "not in this graph");
      return false;
    }
  return true;
}

/* Tangents may be missing, which means zero. */
static bool all_valid_or_none(few_graph *g, int n, const few_node *x) {
  for (int i = 0; i < n; i++)
    if (x[i] != FEW_NONE && !all_valid(g, 1, &x[i])) return false;
  return true;
}

static few_node tangent_of(few_graph *g, few_node v, const few_node *dx) {
  const struct few_op_def *def = few__op_def(few__op(g, v));
  if (def->jvp) return def->jvp(g, v, dx);
  assert(def->decompose && "an op has a jvp rule or a decomposition");
  const struct few_node_data n = *few__node(g, v);
  few_node y = def->decompose(g, v), x[FEW_MAX_IN] = {0}, d[FEW_MAX_IN] = {0}, dy = FEW_NONE;
  int m = 0;
  for (int k = 0; k < n.n_in; k++) {
    if (dx[k] == FEW_NONE) continue;
    x[m] = n.in[k];
    d[m++] = dx[k];
  }
  few_jvp(&dy, g, 1, &y, m, x, d);
  return dy;
}

static void tangents(few_graph *g, int last, const bool *active, few_node *d) {
  for (few_node v = 0; v <= last && !few_graph_status(g); v++) {
    if (!active[v] || d[v] != FEW_NONE) continue; /* seeds stay */
    const struct few_node_data n = *few__node(g, v);
    few_node dx[FEW_MAX_IN] = {0};
    bool any = false;
    for (int k = 0; k < n.n_in; k++) {
      dx[k] = active[n.in[k]] ? d[n.in[k]] : FEW_NONE;
      any = any || dx[k] != FEW_NONE;
    }
    if (any) d[v] = tangent_of(g, v, dx);
    assert(fits(g, d[v], v));
  }
}

few_status few_jvp(few_node *dy, few_graph *g, int n_y, const few_node *y, int n_x,
                   const few_node *x, const few_node *dx) {
  few_ctx *ctx = few__graph_ctx(g);
  assert(n_y >= 0 && n_x >= 0);
  for (int i = 0; i < n_y; i++) dy[i] = FEW_NONE;
  if (!all_valid(g, n_y, y) || !all_valid(g, n_x, x) || !all_valid_or_none(g, n_x, dx))
    return few_graph_status(g);
  int n = few_graph_size(g), last = -1;
  for (int i = 0; i < n_y; i++) last = y[i] > last ? y[i] : last;
  bool *active = NULL;
  few_node *d = NULL;
  few_status st;
  FEW_GOTO(mark_active(g, n_x, x, n_y, y, n, &active));
  FEW_GOTO(FEW_NEW(ctx, &d, n));
  for (int v = 0; v < n; v++) d[v] = FEW_NONE;
  for (int i = 0; i < n_x; i++) {
    d[x[i]] = dx[i];
    if (dx[i] == FEW_NONE) {
      active[x[i]] = false;
    } else if (!few_shape_equal(few_node_shape(g, x[i]), few_node_shape(g, dx[i]))) {
      few__graph_fail(g, FEW_E_INVALID, "jvp: tangent %s for %s",
                      few__shape_text(few_node_shape(g, dx[i])).at,
                      few__shape_text(few_node_shape(g, x[i])).at);
    }
  }
  tangents(g, last, active, d);
  for (int i = 0; i < n_y; i++) dy[i] = d[y[i]];
  st = few_graph_status(g);
out:
  few__free(ctx, active);
  few__free(ctx, d);
  return st;
}

static void cotangent_of(few_graph *g, few_node v, few_node dy, const bool *need, few_node *dx) {
  const struct few_op_def *def = few__op_def(few__op(g, v));
  if (def->vjp) {
    def->vjp(g, v, dy, need, dx);
    return;
  }
  assert(def->decompose && "an op has a vjp rule or a decomposition");
  const struct few_node_data n = *few__node(g, v);
  few_node y = def->decompose(g, v), x[FEW_MAX_IN] = {0}, d[FEW_MAX_IN] = {0};
  int m = 0;
  for (int k = 0; k < n.n_in; k++)
    if (need[k]) x[m++] = n.in[k];
  few_vjp(d, g, 1, &y, &dy, m, x);
  for (int k = 0, j = 0; k < n.n_in; k++)
    if (need[k]) dx[k] = d[j++];
}

static void cotangents(few_graph *g, int last, const bool *active, const bool *leaf, few_node *c) {
  for (few_node v = last; v >= 0 && !few_graph_status(g); v--) {
    if (!active[v] || leaf[v] || c[v] == FEW_NONE) continue;
    const struct few_node_data n = *few__node(g, v);
    if (few__op_def(n.op)->flags & FEW_OP_FLAT) continue;
    bool need[FEW_MAX_IN] = {false};
    few_node dx[FEW_MAX_IN] = {0};
    for (int k = 0; k < n.n_in; k++) {
      need[k] = active[n.in[k]];
      dx[k] = FEW_NONE;
    }
    cotangent_of(g, v, c[v], need, dx);
    for (int k = 0; k < n.n_in; k++) {
      assert(!need[k] || fits(g, dx[k], n.in[k]));
      if (need[k]) c[n.in[k]] = few__plus(g, c[n.in[k]], dx[k]);
    }
  }
}

few_status few_vjp(few_node *dx, few_graph *g, int n_y, const few_node *y, const few_node *dy,
                   int n_x, const few_node *x) {
  few_ctx *ctx = few__graph_ctx(g);
  assert(n_y >= 0 && n_x >= 0);
  for (int i = 0; i < n_x; i++) dx[i] = FEW_NONE;
  if (!all_valid(g, n_y, y) || !all_valid(g, n_y, dy) || !all_valid(g, n_x, x))
    return few_graph_status(g);
  int n = few_graph_size(g), last = -1;
  bool *active = NULL, *leaf = NULL;
  few_node *c = NULL;
  few_status st;
  FEW_GOTO(mark_active(g, n_x, x, n_y, y, n, &active));
  FEW_GOTO(FEW_NEW(ctx, &leaf, n));
  FEW_GOTO(FEW_NEW(ctx, &c, n));
  for (int i = 0; i < n_x; i++) leaf[x[i]] = true;
  for (int v = 0; v < n; v++) c[v] = FEW_NONE;
  for (int i = 0; i < n_y; i++) {
    if (!few_shape_equal(few_node_shape(g, y[i]), few_node_shape(g, dy[i])))
      few__graph_fail(g, FEW_E_INVALID, "vjp: cotangent %s for %s",
                      few__shape_text(few_node_shape(g, dy[i])).at,
                      few__shape_text(few_node_shape(g, y[i])).at);
    c[y[i]] = few__plus(g, c[y[i]], dy[i]);
    last = y[i] > last ? y[i] : last;
  }
  cotangents(g, last, active, leaf, c);
  for (int i = 0; i < n_x; i++) dx[i] = c[x[i]];
  st = few_graph_status(g);
out:
  few__free(ctx, active);
  few__free(ctx, leaf);
  few__free(ctx, c);
  return st;
}

few_status few_grad(few_node *dx, few_graph *g, few_node loss, int n_x, const few_node *x) {
  few_node one = few_fill(g, 1, FEW_SCALAR);
  if (loss != FEW_NONE && few_node_shape(g, loss).rank != 0)
    few__graph_fail(g, FEW_E_INVALID, "grad: a loss is a scalar, this one is %s",
                    few__shape_text(few_node_shape(g, loss)).at);
  return few_vjp(dx, g, 1, &loss, &one, n_x, x);
}
