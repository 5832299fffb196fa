/* verify.c - checks a plan after each pass of planning.
 *
 * A check reads the result of the pass and none of its working data: live ranges, for example, are
 * computed from the instructions and not taken from memory.c. If a check fails, the mistake is in
 * few and not in the caller's graph, and the plan would compute wrong numbers silently. So debug
 * builds and tests verify every plan; release builds do not.
 */
#include "plan_internal.h"

FEW_PRINTF(2, 3) static few_status wrong(const struct few_plan *plan, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  few__failv(plan->ctx, FEW_E_UNSUPPORTED, fmt, args);
  va_end(args);
  return few__fail_in(plan->ctx, FEW_E_UNSUPPORTED,
                      "the plan is wrong, which is a bug in few; please report it");
}

static bool is_source(const struct planning *p, few_node v) {
  return few__op_def(few__op(p->g, v))->flags & FEW_OP_SOURCE &&
         !(few__op_def(few__op(p->g, v))->flags & FEW_OP_RANDOM);
}

/* ---- order.c ---- */

/* Checks that node v comes after what it needs: its operands, or, for attention that is a view of
 * its dual (order.c), the dual. */
static few_status check_operands(const struct planning *p, const bool *seen, few_node v) {
  const struct few_node_data *d = few__node(p->g, v);
  if (!seen[p->root[v]] && p->root[v] != v)
    return wrong(p->plan, "order: node %d comes before node %d, whose bytes it shares", (int)v,
                 (int)p->root[v]);
  if (d->op == FEW_OP_ATTENTION && p->root[v] != v) return FEW_OK;
  for (int k = 0; k < d->n_in; k++)
    if (!seen[few__plan_canon(p->g, d->in[k])])
      return wrong(p->plan, "order: node %d (%s) comes before its operand %d", (int)v,
                   few__op_def(d->op)->name, k);
  return FEW_OK;
}

/* Checks that each live node is scheduled once, after its operands. */
few_status few__plan_verify_order(const struct planning *p) {
  const int n = few_graph_size(p->g);
  bool *seen;
  FEW_TRY(FEW_NEW(p->plan->ctx, &seen, n));
  few_status st = FEW_OK;
  for (int i = 0; !st && i < p->n_order; i++) {
    const few_node v = p->order[i];
    if (seen[v] || !p->live[v])
      st = wrong(p->plan, "order: node %d comes %s", (int)v, seen[v] ? "twice" : "without use");
    else
      st = check_operands(p, seen, v);
    seen[v] = true;
  }
  for (few_node v = 0; !st && v < n; v++)
    if (p->live[v] && !seen[v]) st = wrong(p->plan, "order: node %d is missing", (int)v);
  few__free(p->plan->ctx, seen);
  return st;
}

/* ---- recompute.c ---- */

/* Whether node v needs its operand u in memory: v is not pointwise, reads u through a view, or has
 * another shape. */
static bool needs_memory(const struct planning *p, few_node v, few_node u) {
  return !few__plan_is_pointwise(p->g, v) || p->root[u] != u ||
         !few_shape_equal(few_node_shape(p->g, u), few_node_shape(p->g, v));
}

/* Checks that a recomputed value is computed in the forward pass by a program, and can be computed
 * again by another. */
static few_status check_recomputed(const struct planning *p, few_node v) {
  if (!p->live[v] || p->root[v] != v || p->late[v] || is_source(p, v))
    return wrong(p->plan, "recompute: node %d has no value of the forward pass to recompute",
                 (int)v);
  if (!few__plan_joins(p, v))
    return wrong(p->plan, "recompute: no program can hold node %d (%s)", (int)v,
                 few__op_def(few__op(p->g, v))->name);
  return FEW_OK;
}

/* Checks that nodes of the backward pass, which is everything after the first output, need no
 * recomputed value in memory, and that outputs are not recomputed. */
few_status few__plan_verify_recompute(const struct planning *p) {
  bool late = false;
  for (few_node v = 0; v < few_graph_size(p->g); v++)
    if (p->recomputed[v]) FEW_TRY(check_recomputed(p, v));
  for (int i = 0; i < p->n_order; i++) {
    const few_node v = p->order[i];
    const struct few_node_data *d = few__node(p->g, v);
    if (p->late[v] != late)
      return wrong(p->plan, "recompute: node %d is on the wrong side of the first output", (int)v);
    for (int k = 0; late && k < d->n_in; k++) {
      const few_node u = few__plan_canon(p->g, d->in[k]);
      if (p->recomputed[p->root[u]] && needs_memory(p, v, u))
        return wrong(p->plan, "recompute: node %d needs node %d in memory", (int)v, (int)u);
    }
    late = late || (p->n_out && v == few__plan_canon(p->g, p->out[0]));
  }
  for (int i = 0; i < p->n_out; i++)
    if (p->recomputed[p->root[few__plan_canon(p->g, p->out[i])]])
      return wrong(p->plan, "recompute: output %d would be recomputed", i);
  return FEW_OK;
}

/* ---- fuse.c ---- */

/* Checks that operand u of member m of unit i is an earlier member or is stored by an earlier unit.
 * made[v] is the first unit that computes v, counted from 1. */
static few_status check_read(const struct planning *p, int i, int m, few_node u, const int *made) {
  const struct unit *unit = &p->units.at[i];
  const few_node root = p->root[u];
  if (is_source(p, root)) return FEW_OK;
  for (int k = 0; k < m && root == u; k++)
    if (few__plan_member(p, unit, k) == u) return FEW_OK;
  if (!made[root] || made[root] > i)
    return wrong(p->plan, "fusion: unit %d reads node %d before it is computed", i, (int)root);
  if (!p->stored[root])
    return wrong(p->plan, "fusion: unit %d reads node %d, which no unit stores", i, (int)root);
  return FEW_OK;
}

/* Whether a member of the unit after m reads v. */
static bool is_read_after(const struct planning *p, const struct unit *unit, int m, few_node v) {
  for (int k = m + 1; k < unit->n; k++) {
    const struct few_node_data *d = few__node(p->g, few__plan_member(p, unit, k));
    for (int j = 0; j < d->n_in; j++)
      if (few__plan_canon(p->g, d->in[j]) == v) return true;
  }
  return false;
}

/* Checks that member m of unit i is computed by an earlier unit only if it is recomputed for a
 * reader here. */
static few_status check_member(const struct planning *p, int i, int m, const int *made) {
  const struct unit *unit = &p->units.at[i];
  const few_node v = few__plan_member(p, unit, m);
  for (int k = 0; k < m; k++)
    if (few__plan_member(p, unit, k) == v)
      return wrong(p->plan, "fusion: unit %d computes node %d twice", i, (int)v);
  if (!made[v] || (p->recomputed[v] && is_read_after(p, unit, m, v))) return FEW_OK;
  return wrong(p->plan, "fusion: unit %d computes node %d a second time, for no reader", i, (int)v);
}

few_status few__plan_verify_units(const struct planning *p) {
  int *made;
  FEW_TRY(FEW_NEW(p->plan->ctx, &made, few_graph_size(p->g)));
  few_status st = FEW_OK;
  for (int i = 0; !st && i < p->units.n; i++) {
    const struct unit *unit = &p->units.at[i];
    for (int m = 0; !st && m < unit->n; m++) {
      const struct few_node_data *d = few__node(p->g, few__plan_member(p, unit, m));
      for (int k = 0; !st && k < d->n_in; k++)
        st = check_read(p, i, m, few__plan_canon(p->g, d->in[k]), made);
      if (!st) st = check_member(p, i, m, made);
    }
    for (int m = 0; m < unit->n; m++) {
      const few_node v = few__plan_member(p, unit, m);
      if (!made[v]) made[v] = i + 1;
    }
  }
  for (int i = 0; !st && i < p->n_order; i++) {
    const few_node v = p->order[i];
    if (p->root[v] == v && !is_source(p, v) && !made[v])
      st = wrong(p->plan, "fusion: no unit computes node %d", (int)v);
  }
  few__free(p->plan->ctx, made);
  return st;
}

/* ---- bf16.c ---- */

/* Rows of the batch come first in a value; sums over the batch, such as losses and gradients of
 * parameters, have none. Attention with its tangent has two values for each row. */
static bool has_rows(const struct planning *p, few_node v) {
  const struct few_shape shape = few_node_shape(p->g, v);
  for (few_node u = 0; u < few_graph_size(p->g); u++) {
    const struct few_shape in = few_node_shape(p->g, u);
    if (!p->live[u] || few__op(p->g, u) != FEW_OP_INPUT || in.rank < 2 || shape.rank < 2) continue;
    if (shape.dim[0] == in.dim[0] || shape.dim[0] == 2 * in.dim[0]) return true;
  }
  return false;
}

static few_status check_stored(const struct planning *p, few_node v) {
  const struct few_planning_opts *o = &p->plan->opts;
  if (o->precision != FEW_BF16 || o->real != FEW_F32)
    return wrong(p->plan, "bf16: node %d is stored in bf16, which the plan does not allow", (int)v);
  if (is_source(p, v) || few__node(p->g, v)->type != FEW_REAL)
    return wrong(p->plan, "bf16: node %d is an input, a constant or an index", (int)v);
  if (!has_rows(p, v))
    return wrong(p->plan, "bf16: node %d is not a value per row of the batch, so it must be in f32",
                 (int)v);
  for (int i = 0; i < p->n_out; i++)
    if (p->root[few__plan_canon(p->g, p->out[i])] == v)
      return wrong(p->plan, "bf16: output %d is read by the caller, in f32", i);
  return FEW_OK;
}

/* Checks that a kernel for f32 only has no operand and no result in bf16. */
static few_status check_kernel(const struct planning *p, int i) {
  const struct unit *unit = &p->units.at[i];
  const few_op op = unit->n > 1 ? FEW_OP_COUNT : few__op(p->g, few__plan_member(p, unit, 0));
  if (p->plan->opts.backend->bf16[op]) return FEW_OK;
  for (int m = 0; m < unit->n; m++) {
    const few_node v = few__plan_member(p, unit, m);
    const struct few_node_data *d = few__node(p->g, v);
    if (p->bf16[p->root[v]])
      return wrong(p->plan, "bf16: the kernel of unit %d cannot write node %d", i, (int)v);
    for (int k = 0; k < d->n_in; k++)
      if (p->bf16[p->root[few__plan_canon(p->g, d->in[k])]])
        return wrong(p->plan, "bf16: the kernel of unit %d cannot read operand %d of node %d", i, k,
                     (int)v);
  }
  return FEW_OK;
}

few_status few__plan_verify_bf16(const struct planning *p) {
  for (few_node v = 0; v < few_graph_size(p->g); v++)
    if (p->live[v] && p->root[v] == v && p->bf16[v]) FEW_TRY(check_stored(p, v));
  for (int i = 0; i < p->units.n; i++) FEW_TRY(check_kernel(p, i));
  return FEW_OK;
}

/* ---- emit.c ---- */

/* Whether `at` is the place of the value of u, an operand or a result. */
static bool is_location(const struct planning *p, few_node u, struct location at) {
  const few_node root = p->root[u];
  const size_t size = p->bf16[root]                           ? sizeof(uint16_t)
                      : few__node(p->g, u)->type == FEW_INDEX ? sizeof(int32_t)
                                                              : few__real_size(p->plan->opts.real);
  return at.storage == p->location[root].storage &&
         at.offset == p->location[root].offset + p->view_offset[u] * size;
}

static bool same_work(const struct few_node_data *d, few_op op, const union few_attr *attr) {
  /* Bytes, as in graph.c. NOLINTNEXTLINE(bugprone-*) */
  return d->op == op && !memcmp(&d->attr, attr, sizeof *attr);
}

/* Whether register r, which member m of a program reads, has the value of u: it is an earlier
 * member, or a leaf at u's place. */
static bool is_register(const struct planning *p, const struct unit *unit, int m,
                        const struct instruction *in, int r, few_node u) {
  const int n = in->program->n_leaves;
  if (r < 0 || r >= n + m) return false;
  return r >= n ? few__plan_member(p, unit, r - n) == u : is_location(p, u, in->in[r]);
}

/* Checks that each member of a unit, recomputed ones too, is computed by its own op, with its own
 * attributes, from its own operands. */
static few_status check_unit(const struct planning *p, int i) {
  const struct unit *unit = &p->units.at[i];
  const struct instruction *in = &p->plan->code.at[i];
  if ((unit->n > 1) != (in->program != NULL) || (in->program && in->program->n_code != unit->n))
    return wrong(p->plan, "instruction %d does not have the nodes of its unit", i);
  for (int m = 0; m < unit->n; m++) {
    const struct few_node_data *d = few__node(p->g, few__plan_member(p, unit, m));
    const struct few_instruction *c = in->program ? &in->program->code[m] : NULL;
    if (!same_work(d, c ? c->op : in->op, c ? &c->attr : &in->node.attr))
      return wrong(p->plan, "instruction %d computes another op than its node, %s", i,
                   few__op_def(d->op)->name);
    for (int k = 0; k < d->n_in; k++) {
      const few_node u = few__plan_canon(p->g, d->in[k]);
      if (c ? !is_register(p, unit, m, in, c->in[k], u) : !is_location(p, u, in->in[k]))
        return wrong(p->plan, "instruction %d reads another value than operand %d of its node, %s",
                     i, k, few__op_def(d->op)->name);
    }
  }
  return FEW_OK;
}

few_status few__plan_verify_programs(const struct planning *p) {
  if (p->plan->code.n < p->units.n)
    return wrong(p->plan, "%d units have %d instructions", p->units.n, p->plan->code.n);
  for (int i = 0; i < p->units.n; i++) FEW_TRY(check_unit(p, i));
  return FEW_OK;
}

static size_t bytes_of(const struct few_plan *plan, const struct instruction *in,
                       struct few_shape shape, bool bf16) {
  const bool index = in->op == FEW_OP_ONEHOT; /* its operand is int32 */
  const size_t size = bf16 ? 2 : few__real_size(plan->opts.real);
  return few__mul_size((size_t)few_shape_count(shape), index && size > 4 ? 4 : size);
}

/* Checks that the location is inside its storage, and the storage inside its slot, output or
 * pool. */
static few_status check_location(const struct few_plan *plan, int i, struct location at,
                                 size_t bytes) {
  if (at.storage < 0 || at.storage >= plan->storages.n)
    return wrong(plan, "instruction %d: an operand or result has no storage", i);
  const struct storage *s = &plan->storages.at[at.storage];
  const int most = s->where == IN_SLOT ? plan->slots.n : s->where == IN_OUTPUT ? plan->n_out : 1;
  if (s->index < 0 || s->index >= most)
    return wrong(plan, "instruction %d: storage %d is slot or output %d of %d", i, at.storage,
                 s->index, most);
  if (at.offset > s->bytes || bytes > s->bytes - at.offset)
    return wrong(plan, "instruction %d: %zu bytes at %zu are outside storage %d of %zu bytes", i,
                 bytes, at.offset, at.storage, s->bytes);
  if (s->where == IN_POOL &&
      (s->offset > plan->pool_bytes || s->bytes > plan->pool_bytes - s->offset))
    return wrong(plan, "instruction %d: a constant is outside the pool", i);
  return FEW_OK;
}

static few_status check_instruction(const struct few_plan *plan, int i, bool *written) {
  const struct instruction *in = &plan->code.at[i];
  for (int k = 0; k < in->call.n_in; k++) {
    const struct few_operand *a = &in->call.in[k];
    FEW_TRY(check_location(plan, i, in->in[k], bytes_of(plan, in, a->shape, a->bf16)));
    const struct storage *s = &plan->storages.at[in->in[k].storage];
    if ((s->where == IN_ARENA || s->where == IN_OUTPUT) && !written[in->in[k].storage])
      return wrong(plan, "instruction %d reads storage %d before it is written", i,
                   in->in[k].storage);
  }
  for (int k = 0; k < in->n_out; k++) {
    const size_t size = in->call.bf16[k] ? 2 : few__real_size(plan->opts.real);
    FEW_TRY(check_location(plan, i, in->out[k],
                           few__mul_size((size_t)few_shape_count(in->call.shape), size)));
    const enum where where = plan->storages.at[in->out[k].storage].where;
    if (where != IN_ARENA && where != IN_OUTPUT)
      return wrong(plan, "instruction %d writes an input or a constant", i);
    written[in->out[k].storage] = true;
  }
  return in->run ? FEW_OK : wrong(plan, "instruction %d has no kernel", i);
}

few_status few__plan_verify_code(const struct few_plan *plan) {
  bool *written;
  FEW_TRY(FEW_NEW(plan->ctx, &written, plan->storages.n + 1));
  few_status st = FEW_OK;
  for (int i = 0; !st && i < plan->code.n; i++) st = check_instruction(plan, i, written);
  few__free(plan->ctx, written);
  return st;
}

/* ---- memory.c ---- */

struct range { /* instructions that touch a storage; first < 0: none */
  int first, last;
};

static void extend(struct range *r, int i) {
  if (r->first < 0) r->first = i;
  r->last = i;
}

static bool is_pointwise(const struct instruction *in) {
  return in->op == FEW_OP_COUNT || few__op_def(in->op)->flags & FEW_OP_POINTWISE;
}

/* Whether instruction i may write storage `out` over `from`: it is pointwise, and reads each
 * element of `from` only where it writes it. */
static bool may_overwrite(const struct few_plan *plan, int i, int out, int from) {
  const struct instruction *in = &plan->code.at[i];
  const size_t at = plan->storages.at[out].offset;
  bool writes = false;
  for (int k = 0; k < in->n_out; k++) writes = writes || in->out[k].storage == out;
  if (!writes || !is_pointwise(in) || plan->storages.at[from].offset != at) return false;
  for (int k = 0; k < in->call.n_in; k++)
    if (in->in[k].storage == from &&
        (in->in[k].offset || !few_shape_equal(in->call.in[k].shape, in->call.shape)))
      return false;
  return true;
}

static few_status check_pair(const struct few_plan *plan, const struct range *live, int a, int b) {
  const struct storage *x = &plan->storages.at[a], *y = &plan->storages.at[b];
  if (x->offset + x->bytes <= y->offset || y->offset + y->bytes <= x->offset) return FEW_OK;
  if (live[a].last < live[b].first || live[b].last < live[a].first) return FEW_OK;
  if (live[a].last == live[b].first && may_overwrite(plan, live[b].first, b, a)) return FEW_OK;
  if (live[b].last == live[a].first && may_overwrite(plan, live[a].first, a, b)) return FEW_OK;
  return wrong(plan, "memory: storages %d and %d share bytes and are live at the same time", a, b);
}

few_status few__plan_verify_memory(const struct few_plan *plan) {
  const int n = plan->storages.n;
  struct range *live;
  FEW_TRY(FEW_NEW(plan->ctx, &live, n + 1));
  few_status st = FEW_OK;
  for (int s = 0; s < n; s++) live[s] = (struct range){-1, -1};
  for (int i = 0; i < plan->code.n; i++) {
    const struct instruction *in = &plan->code.at[i];
    for (int k = 0; k < in->call.n_in; k++) extend(&live[in->in[k].storage], i);
    for (int k = 0; k < in->n_out; k++) extend(&live[in->out[k].storage], i);
  }
  for (int a = 0; !st && a < n; a++) {
    const struct storage *s = &plan->storages.at[a];
    if (s->where != IN_ARENA || live[a].first < 0) continue;
    if (s->offset % 64 || s->offset + s->bytes > plan->arena_bytes)
      st = wrong(plan, "memory: storage %d is outside the arena or not aligned", a);
    for (int b = 0; !st && b < a; b++)
      if (plan->storages.at[b].where == IN_ARENA && live[b].first >= 0)
        st = check_pair(plan, live, a, b);
  }
  few__free(plan->ctx, live);
  return st;
}
