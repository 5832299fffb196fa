/* verify.c - what must hold after each pass of planning.
 *
 * Each check reads what the pass has made and nothing of how it was made: live ranges, for example,
 * are computed from the instructions and not taken from memory.c. A plan that fails is a mistake of
 * few, never of a caller, and would compute wrong numbers silently. So debug builds and tests verify
 * every plan; release builds skip it.
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

/* Attention that rides with its dual needs that dual, and not its own operands. */
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

/* Each live node once, after its operands. */
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

/* ---- fuse.c ---- */

/* Operand u of member m of unit i: an earlier member, or stored by an earlier unit. made[v] is the
 * first unit that computes v, counted from 1. */
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

/* ---- emit.c ---- */

static size_t bytes_of(const struct few_plan *plan, const struct instruction *in,
                       struct few_shape shape, bool bf16) {
  const bool index = in->op == FEW_OP_ONEHOT; /* its operand is int32 */
  const size_t size = bf16 ? 2 : few__real_size(plan->opts.real);
  return few__mul_size((size_t)few_shape_count(shape), index && size > 4 ? 4 : size);
}

/* The location is in its storage, and the storage is where it says. */
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

/* Instruction i may write storage `out` over `from`: it is pointwise, and reads `from` only element
 * by element where it writes it. */
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
