/* fuse.c - fusion: consecutive pointwise ops become one pass over memory.
 *
 * The schedule is walked with several groups open, one per shape. A pointwise node joins the open
 * group of its shape. A node outside that reads a member closes the group, which then runs just
 * before that node. The operands of a joining node are members of its own group or already
 * computed: another open group that contains one is closed first. So no cycle can arise.
 *
 * A norm of images joins too, where the backend supports it. Its statistics are computed before the
 * pass, so its operands must be computed before the group runs.
 *
 * recompute.c marks nodes to be recomputed, and the nodes of the backward pass as late. The group
 * of a late node that reads a node to be recomputed computes it again, unless the group contains it
 * or already reads it from memory.
 */
#include "plan_internal.h"

enum { MAX_OPEN = 16, NO_GROUP = -2 };

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
};

static few_status add_unit(struct fusing *f, int n, const few_node *member) {
  struct planning *p = f->p;
  assert(1 <= n && n <= FEW_PROGRAM_MAX);
  FEW_TRY(FEW_GROW(p->plan->ctx, &p->units, p->units.n + 1));
  FEW_TRY(FEW_GROW(p->plan->ctx, &p->members, p->members.n + n));
  memcpy(p->members.at + p->members.n, member, (size_t)n * sizeof *member);
  p->units.at[p->units.n++] = (struct unit){n, p->members.n};
  p->members.n += n;
  return FEW_OK;
}

static few_status close_group(struct fusing *f, int i) {
  assert(0 <= i && i < f->n_open);
  struct group *gr = &f->open[i];
  assert(gr->n > 0);
  FEW_TRY(add_unit(f, gr->n, gr->member));
  for (int m = 0; m < gr->n; m++) f->group_of[gr->member[m]] = -1;
  f->n_open--;
  if (i != f->n_open) {
    *gr = f->open[f->n_open];
    for (int m = 0; m < gr->n; m++) f->group_of[gr->member[m]] = i;
  }
  return FEW_OK;
}

/* Closes every open group that contains an operand of v, except the group of shape `own`, which v
 * may join. That group is closed too if v reads its member through a view. */
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

/* Whether v is a member of group gr, whose index is `index`. */
static bool is_member(const struct fusing *f, const struct group *gr, int index, few_node v) {
  if (f->group_of[v] == index) return true;
  for (int m = 0; m < gr->n; m++)
    if (gr->member[m] == v) return true;
  return false;
}

static bool reads_leaf(const struct group *gr, few_node u) {
  for (int j = 0; j < gr->n_leaves; j++)
    if (gr->leaf[j] == u) return true;
  return false;
}

static bool add_leaf(struct group *gr, few_node u) {
  if (reads_leaf(gr, u)) return true;
  if (gr->n_leaves == FEW_PROGRAM_LEAVES) return false;
  gr->leaf[gr->n_leaves++] = u;
  return true;
}

static bool is_norm(few_op op) { return op == FEW_OP_NORM || op == FEW_OP_NORM_TANGENT; }

/* Makes v a member of gr, a copy of group `index`. Returns false if the group is full. */
static bool add_member(const struct fusing *f, struct group *gr, int index, few_node v) {
  struct planning *p = f->p;
  const struct few_node_data *d = few__node(p->g, v);
  bool norm = is_norm(d->op);
  for (int k = 0; k < d->n_in; k++) {
    few_node u = few__plan_canon(p->g, d->in[k]);
    if (p->root[u] == u && is_member(f, gr, index, u)) continue;
    if (!add_leaf(gr, u)) return false;
  }
  gr->n_norms += norm;
  gr->n_escapes += p->stored[v];
  if (gr->n == FEW_PROGRAM_MAX || gr->n_norms > FEW_PROGRAM_NORMS ||
      gr->n_escapes > FEW_PROGRAM_STORES)
    return false;
  gr->member[gr->n++] = v;
  return true;
}

/* The nodes to add for v: v itself, after the nodes that a late v recomputes. */
struct addition {
  int n;
  few_node node[FEW_PROGRAM_MAX];
};

static void gather(const struct fusing *f, int index, few_node v, struct addition *a) {
  const struct planning *p = f->p;
  const struct few_node_data *d = few__node(p->g, v);
  for (int k = 0; k < d->n_in && few__plan_is_pointwise(p->g, v); k++) {
    few_node u = few__plan_canon(p->g, d->in[k]);
    if (p->root[u] != u || !p->recomputed[u] || f->group_of[u] == index ||
        !few_shape_equal(few_node_shape(p->g, u), d->shape))
      continue;
    bool known = index >= 0 && index < f->n_open &&
                 reads_leaf(&f->open[index], u); /* then it is in memory */
    for (int i = 0; i < a->n; i++) known = known || a->node[i] == u;
    if (!known) gather(f, index, u, a);
  }
  if (a->n < FEW_PROGRAM_MAX) a->node[a->n++] = v;
}

static struct addition addition_of(const struct fusing *f, int index, few_node v) {
  struct addition a = {0};
  if (f->p->late[v]) gather(f, index, v, &a);
  if (a.n == 0 || a.n == FEW_PROGRAM_MAX) a = (struct addition){1, {v}};
  return a;
}

static int open_group(const struct fusing *f, struct few_shape shape) {
  int i = 0;
  while (i < f->n_open && !few_shape_equal(f->open[i].shape, shape)) i++;
  return i;
}

/* Adds all of `a` to group `index`, or nothing. */
static bool add_all(struct fusing *f, int index, const struct addition *a) {
  struct group grown = f->open[index];
  for (int k = 0; k < a->n; k++)
    if (!add_member(f, &grown, index, a->node[k])) return false;
  f->open[index] = grown;
  for (int k = 0; k < a->n; k++) f->group_of[a->node[k]] = index;
  return true;
}

/* A norm joins if rows have several positions. A norm over one position is a kernel of its own,
 * which keeps the row in registers. */
bool few__plan_joins(const struct planning *p, few_node v) {
  const struct few_node_data *d = few__node(p->g, v);
  if (!is_norm(d->op)) return few__plan_is_pointwise(p->g, v);
  if (!p->plan->opts.backend->fuses_norms[p->plan->opts.real]) return false;
  int64_t c = d->shape.dim[d->shape.rank - 1];
  for (int k = 0; k < d->n_in; k++)
    if (few__op(p->g, few__plan_canon(p->g, d->in[k])) == FEW_OP_FILL) return false;
  return c > 1 && few_shape_count(d->shape) > d->shape.dim[0] * c;
}

static few_status join(struct fusing *f, few_node v) {
  struct planning *p = f->p;
  struct few_shape shape = few_node_shape(p->g, v);
  struct addition a = addition_of(f, NO_GROUP, v);
  for (int k = 0; k < a.n; k++)
    FEW_TRY(settle_operands(f, a.node[k], is_norm(few__op(p->g, a.node[k])) ? NULL : &shape));
  int i = open_group(f, shape);
  a = addition_of(f, i, v);
  if (i < f->n_open) {
    if (add_all(f, i, &a)) return FEW_OK;
    FEW_TRY(close_group(f, i));
  } else if (f->n_open == MAX_OPEN) {
    FEW_TRY(close_group(f, 0));
  }
  i = f->n_open++;
  f->open[i] = (struct group){.shape = shape};
  a = addition_of(f, i, v);
  if (!add_all(f, i, &a)) { /* too much to recompute: read it */
    a = (struct addition){1, {v}};
    if (!add_all(f, i, &a))
      return few__fail(p->plan->ctx, FEW_E_INVALID, "plan: %s has too many operands",
                       few__op_def(few__op(p->g, v))->name);
  }
  return FEW_OK;
}

/* A value escapes if a node outside its group reads it. Before grouping that is certain only of
 * outputs, and of values with a reader that is not pointwise, has another shape or reads through a
 * view. So the guess may miss some. find_stored computes the exact set, and split_overfull splits
 * groups that turn out to have too many. */
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

/* Finds every root that is read by a unit that does not contain it. */
static few_status find_stored(struct planning *p) {
  few_ctx *ctx = p->plan->ctx;
  int n = few_graph_size(p->g), *unit_of; /* the last unit that has a node, counted from 1 */
  FEW_TRY(FEW_NEW(ctx, &unit_of, n));
  memset(p->stored, 0, (size_t)n * sizeof *p->stored);
  for (int i = 0; i < p->units.n; i++) {
    const struct unit *unit = &p->units.at[i];
    for (int m = 0; m < unit->n; m++) unit_of[few__plan_member(p, unit, m)] = i + 1;
    for (int m = 0; m < unit->n; m++) {
      const struct few_node_data *d = few__node(p->g, few__plan_member(p, unit, m));
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

/* Stores of a unit; a node is stored by the first unit that has it. */
static int count_stores(struct planning *p, const struct unit *u) {
  int stores = 0;
  for (int m = 0; m < u->n; m++) {
    few_node v = few__plan_member(p, u, m);
    stores += p->stored[v] && !p->made[v];
    p->made[v] = true;
  }
  return stores;
}

/* A group whose stores turn out too many for one program runs its members one by one. */
static few_status split_overfull(struct planning *p) {
  for (int i = 0; i < p->units.n; i++) {
    struct unit u = p->units.at[i];
    if (count_stores(p, &u) <= FEW_PROGRAM_STORES || u.n < 2) continue;
    FEW_TRY(FEW_GROW(p->plan->ctx, &p->units, p->units.n + u.n - 1));
    memmove(&p->units.at[i + u.n], &p->units.at[i + 1],
            (size_t)(p->units.n - i - 1) * sizeof *p->units.at);
    for (int m = 0; m < u.n; m++) {
      p->units.at[i + m] = (struct unit){1, u.first + m};
      p->stored[few__plan_member(p, &u, m)] = true;
    }
    p->units.n += u.n - 1;
    i += u.n - 1;
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
  FEW_GOTO(FEW_NEW(ctx, &p->made, n));
  FEW_GOTO(FEW_NEW(ctx, &f, 1));
  f->p = p;
  FEW_GOTO(FEW_NEW(ctx, &f->group_of, n));
  for (int v = 0; v < n; v++) f->group_of[v] = -1;
  guess_escapes(p);
  for (int i = 0; i < p->n_order; i++) {
    few_node v = p->order[i];
    if (!is_computed(p, v)) continue;
    if (fuse && few__plan_joins(p, v)) {
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
