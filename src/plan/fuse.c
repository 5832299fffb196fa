/* fuse.c - runs of pointwise ops become one pass over memory.
 *
 * Walk the schedule with some groups open, one for each shape. A pointwise node joins the open
 * group of its shape; a node that reads a member from outside closes the group, which then runs
 * just before that node. What a joining node reads is either in its own group or already computed
 * (another open group that holds it is closed first), so no cycle can arise.
 *
 * A norm of images joins as well where the backend can: its statistics are taken before the pass,
 * so all that it reads must be computed before the group runs.
 */
#include "plan_internal.h"

enum { MAX_OPEN = 16 };

struct group {
  struct few_shape shape;
  int n, n_leaves, n_escapes, n_norms;
  few_node member[FEW_PROGRAM_MAX], leaf[FEW_PROGRAM_LEAVES];
};

struct fusing {
  struct planning *p;
  struct group open[MAX_OPEN];
  int n_open;
  int *group_of; /* index into open of the group that holds a node, or -1 */
  int n_members;
};

static few_status add_unit(struct fusing *f, int n, const few_node *member) {
  struct planning *p = f->p;
  FEW_TRY(FEW_GROW(p->plan->ctx, &p->units, p->units.n + 1));
  few_node *at = p->members + f->n_members;
  memcpy(at, member, (size_t)n * sizeof *member);
  f->n_members += n;
  p->units.at[p->units.n++] = (struct unit){n, at};
  return FEW_OK;
}

static few_status close_group(struct fusing *f, int i) {
  struct group *gr = &f->open[i];
  FEW_TRY(add_unit(f, gr->n, gr->member));
  for (int m = 0; m < gr->n; m++) f->group_of[gr->member[m]] = -1;
  f->n_open--;
  if (i != f->n_open) {
    *gr = f->open[f->n_open];
    for (int m = 0; m < gr->n; m++) f->group_of[gr->member[m]] = i;
  }
  return FEW_OK;
}

/* Close whatever open group, other than the one of shape `own` that v may join, holds an operand
 * of v; an operand seen through a view counts as foreign. */
static few_status settle_operands(struct fusing *f, few_node v, const struct few_shape *own) {
  struct planning *p = f->p;
  const struct few_node_data *d = few__node(p->g, v);
  for (int k = 0; k < d->n_in; k++) {
    few_node u = few__plan_canon(p->g, d->in[k]);
    int i = f->group_of[p->root[u]];
    if (i < 0) continue;
    if (own && p->root[u] == u && few_shape_equal(f->open[i].shape, *own)) continue;
    FEW_TRY(close_group(f, i));
  }
  return FEW_OK;
}

/* Number of leaves that group gr would have with v in it; *leaf lists them. */
static int leaves_with(const struct fusing *f, const struct group *gr, int index, few_node v,
                       few_node *leaf) {
  const struct planning *p = f->p;
  const struct few_node_data *d = few__node(p->g, v);
  int n = gr->n_leaves;
  memcpy(leaf, gr->leaf, sizeof gr->leaf);
  for (int k = 0; k < d->n_in; k++) {
    few_node u = few__plan_canon(p->g, d->in[k]);
    bool known = f->group_of[u] == index && p->root[u] == u;
    for (int j = 0; j < n && !known; j++) known = leaf[j] == u;
    if (known) continue;
    if (n == FEW_PROGRAM_LEAVES) return n + 1;
    leaf[n++] = u;
  }
  return n;
}

static bool is_norm(const struct planning *p, few_node v) {
  few_op op = few__op(p->g, v);
  return op == FEW_OP_NORM || op == FEW_OP_NORM_TANGENT;
}

/* A norm of several positions a row; of one position it is a kernel that lives in registers. */
static bool joins(const struct planning *p, few_node v) {
  const struct few_node_data *d = few__node(p->g, v);
  if (!is_norm(p, v)) return few__plan_is_pointwise(p->g, v);
  if (!p->plan->opts.backend->fuses_norms[p->plan->opts.real]) return false;
  int64_t c = d->shape.dim[d->shape.rank - 1];
  for (int k = 0; k < d->n_in; k++)
    if (few__op(p->g, few__plan_canon(p->g, d->in[k])) == FEW_OP_FILL) return false;
  return c > 1 && few_shape_count(d->shape) > d->shape.dim[0] * c;
}

static few_status join(struct fusing *f, few_node v) {
  struct planning *p = f->p;
  struct few_shape shape = few_node_shape(p->g, v);
  bool norm = is_norm(p, v);
  FEW_TRY(settle_operands(f, v, norm ? NULL : &shape));
  int i = 0;
  while (i < f->n_open && !few_shape_equal(f->open[i].shape, shape)) i++;
  few_node leaf[FEW_PROGRAM_LEAVES];
  bool escapes = p->stored[v];
  if (i < f->n_open) {
    struct group *gr = &f->open[i];
    if (gr->n == FEW_PROGRAM_MAX || gr->n_norms + norm > FEW_PROGRAM_NORMS ||
        leaves_with(f, gr, i, v, leaf) > FEW_PROGRAM_LEAVES ||
        gr->n_escapes + escapes > FEW_PROGRAM_STORES) {
      FEW_TRY(close_group(f, i));
      i = f->n_open;
    }
  }
  if (i == f->n_open) {
    if (f->n_open == MAX_OPEN) FEW_TRY(close_group(f, 0));
    i = f->n_open++;
    f->open[i].shape = shape;
    f->open[i].n = f->open[i].n_leaves = f->open[i].n_escapes = f->open[i].n_norms = 0;
  }
  struct group *gr = &f->open[i];
  gr->n_leaves = leaves_with(f, gr, i, v, leaf);
  memcpy(gr->leaf, leaf, sizeof leaf);
  gr->n_escapes += escapes;
  gr->n_norms += norm;
  gr->member[gr->n++] = v;
  f->group_of[v] = i;
  return FEW_OK;
}

/* A value escapes when something else than pointwise ops of its own shape reads it, or something
 * reads it much later. Which of its pointwise readers end up in another group is only known after
 * grouping, so this is decided on the safe side for the capacity and exactly in find_stored. */
static void guess_escapes(struct planning *p) {
  for (int i = 0; i < p->n_order; i++) {
    few_node v = p->order[i];
    const struct few_node_data *d = few__node(p->g, v);
    for (int k = 0; k < d->n_in; k++) {
      few_node u = few__plan_canon(p->g, d->in[k]);
      bool inside = few__plan_is_pointwise(p->g, v) && p->root[u] == u &&
                    few_shape_equal(few_node_shape(p->g, u), d->shape);
      if (!inside) p->stored[p->root[u]] = true;
    }
  }
  for (int i = 0; i < p->n_out; i++) p->stored[p->root[few__plan_canon(p->g, p->out[i])]] = true;
}

/* Exact: every root that is read by a unit other than its own. */
static few_status find_stored(struct planning *p) {
  few_ctx *ctx = p->plan->ctx;
  int n = few_graph_size(p->g), *unit_of;
  FEW_TRY(FEW_NEW(ctx, &unit_of, n));
  memset(p->stored, 0, (size_t)n * sizeof *p->stored);
  for (int i = 0; i < p->units.n; i++)
    for (int m = 0; m < p->units.at[i].n; m++) unit_of[p->units.at[i].member[m]] = i + 1;
  for (int i = 0; i < p->units.n; i++) {
    for (int m = 0; m < p->units.at[i].n; m++) {
      const struct few_node_data *d = few__node(p->g, p->units.at[i].member[m]);
      for (int k = 0; k < d->n_in; k++) {
        few_node u = few__plan_canon(p->g, d->in[k]);
        if (unit_of[p->root[u]] != i + 1) p->stored[p->root[u]] = true;
      }
    }
  }
  for (int i = 0; i < p->n_out; i++) p->stored[p->root[few__plan_canon(p->g, p->out[i])]] = true;
  few__free(ctx, unit_of);
  return FEW_OK;
}

/* A group whose stores turn out too many for one program runs its members one by one. */
static few_status split_overfull(struct planning *p) {
  for (int i = 0; i < p->units.n; i++) {
    struct unit u = p->units.at[i];
    int stores = 0;
    for (int m = 0; m < u.n; m++) stores += p->stored[u.member[m]];
    if (u.n < 2 || stores <= FEW_PROGRAM_STORES) continue;
    FEW_TRY(FEW_GROW(p->plan->ctx, &p->units, p->units.n + u.n - 1));
    memmove(&p->units.at[i + u.n], &p->units.at[i + 1],
            (size_t)(p->units.n - i - 1) * sizeof *p->units.at);
    for (int m = 0; m < u.n; m++) {
      p->units.at[i + m] = (struct unit){1, u.member + m};
      p->stored[u.member[m]] = true;
    }
    p->units.n += u.n - 1;
  }
  return FEW_OK;
}

static bool is_computed(const struct planning *p, few_node v) {
  few_op op = few__op(p->g, v);
  return p->root[v] == v && op != FEW_OP_INPUT && op != FEW_OP_PARAM && op != FEW_OP_FILL &&
         op != FEW_OP_CONST;
}

few_status few__plan_fuse(struct planning *p) {
  few_ctx *ctx = p->plan->ctx;
  int n = few_graph_size(p->g);
  few_real real = p->plan->opts.real;
  bool fuse = p->plan->opts.backend->fused[real].run && !p->plan->opts.no_fusion;
  struct fusing *f = NULL;
  few_status st;
  FEW_GOTO(FEW_NEW(ctx, &p->stored, n));
  FEW_GOTO(FEW_NEW(ctx, &p->members, n));
  FEW_GOTO(FEW_NEW(ctx, &f, 1));
  f->p = p;
  FEW_GOTO(FEW_NEW(ctx, &f->group_of, n));
  for (int v = 0; v < n; v++) f->group_of[v] = -1;
  guess_escapes(p);
  for (int i = 0; i < p->n_order; i++) {
    few_node v = p->order[i];
    if (!is_computed(p, v)) continue;
    if (fuse && joins(p, v)) {
      FEW_GOTO(join(f, v));
    } else {
      FEW_GOTO(settle_operands(f, v, NULL));
      FEW_GOTO(add_unit(f, 1, &v));
    }
  }
  while (f->n_open) FEW_GOTO(close_group(f, 0));
  FEW_GOTO(find_stored(p));
  FEW_GOTO(split_overfull(p));
out:
  if (f) few__free(ctx, f->group_of);
  few__free(ctx, f);
  return st;
}
