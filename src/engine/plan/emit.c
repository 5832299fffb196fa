/* emit.c - units become instructions, whose operands and results are locations in storages. */
#include <stdio.h>

#include "plan_internal.h"

/* The size of an element of a root, or of a view of it. */
static size_t element(const struct planning *p, few_node v) {
  if (p->bf16[p->root[v]]) return sizeof(uint16_t);
  return few__node(p->g, v)->type == FEW_INDEX ? sizeof(int32_t)
                                               : few__real_size(p->plan->opts.real);
}

static few_status new_storage(struct planning *p, enum where where, int index, size_t bytes,
                              int *out) {
  struct few_plan *plan = p->plan;
  FEW_TRY(FEW_GROW(plan->ctx, &plan->storages, plan->storages.n + 1));
  *out = plan->storages.n++;
  plan->storages.at[*out] = (struct storage){
      .where = where, .index = index, .bytes = bytes, .first = -1, .last = -1, .shares = -1};
  return FEW_OK;
}

static few_status add_slot(struct planning *p, const struct few_node_data *d, int *index) {
  struct few_plan *plan = p->plan;
  for (*index = 0; *index < plan->slots.n; ++*index) {
    const struct few_slot *s = &plan->slots.at[*index];
    if (strcmp(s->name, d->name)) continue;
    if (s->type == d->type && few_shape_equal(s->shape, d->shape) &&
        s->param == (d->op == FEW_OP_PARAM))
      return FEW_OK;
    return few__fail(plan->ctx, FEW_E_INVALID,
                     "plan: `%s` is used as %s and as %s: give one of them another name", d->name,
                     few__shape_text(s->shape).at, few__shape_text(d->shape).at);
  }
  FEW_TRY(FEW_GROW(plan->ctx, &plan->slots, plan->slots.n + 1));
  char *name = few__strdup(plan->ctx, d->name);
  if (!name) return few__fail(plan->ctx, FEW_E_MEMORY, "out of memory while planning");
  plan->slots.at[plan->slots.n++] =
      (struct few_slot){name, d->op == FEW_OP_PARAM, d->type, d->shape};
  return FEW_OK;
}

/* Constants: FILL and CONST values in the plan's number type, written once. A FILL is kept as one
 * number where only pointwise programs read it (their leaves broadcast) and in full otherwise. */
static few_status add_pool(struct planning *p, few_node v, int storage) {
  struct few_plan *plan = p->plan;
  const struct few_node_data *d = few__node(p->g, v);
  size_t count = (size_t)few_shape_count(d->shape), size = few__real_size(plan->opts.real);
  size_t bytes = (few__mul_size(count, size) + 63) & ~(size_t)63;
  char *pool = few__realloc(plan->ctx, plan->pool, plan->pool_bytes + bytes);
  if (!pool) return few__fail(plan->ctx, FEW_E_MEMORY, "out of memory: constants of a plan");
  plan->pool = pool;
  for (size_t i = 0; i < count; i++) {
    double value = d->values ? d->values[i] : d->attr.fill.value;
    if (plan->opts.real == FEW_F64)
      ((double *)(void *)(pool + plan->pool_bytes))[i] = value;
    else
      ((float *)(void *)(pool + plan->pool_bytes))[i] = (float)value;
  }
  plan->storages.at[storage].offset = plan->pool_bytes;
  plan->pool_bytes += bytes;
  return FEW_OK;
}

/* Gives the root of v a storage if it has none yet. A source gets it at its first read, a result
 * when it is computed. */
static few_status root_storage(struct planning *p, few_node root) {
  if (p->location[root].storage >= 0) return FEW_OK;
  const struct few_node_data *d = few__node(p->g, root);
  enum where where = IN_ARENA;
  int index = 0, s;
  if (d->op == FEW_OP_INPUT || d->op == FEW_OP_PARAM) {
    FEW_TRY(add_slot(p, d, &index));
    where = IN_SLOT;
  }
  if (d->op == FEW_OP_FILL || d->op == FEW_OP_CONST) where = IN_POOL;
  size_t bytes = few__mul_size((size_t)few_shape_count(d->shape), element(p, root));
  FEW_TRY(new_storage(p, where, index, bytes, &s));
  p->location[root] = (struct location){s, 0};
  return where == IN_POOL ? add_pool(p, root, s) : FEW_OK;
}

static few_status location_of(struct planning *p, few_node v, struct location *out) {
  v = few__plan_canon(p->g, v);
  FEW_TRY(root_storage(p, p->root[v]));
  *out = p->location[p->root[v]];
  out->offset += p->view_offset[v] * element(p, v);
  return FEW_OK;
}

static void touch(struct few_plan *plan, int storage, int instruction) {
  assert(0 <= storage && storage < plan->storages.n);
  struct storage *s = &plan->storages.at[storage];
  assert(s->last <= instruction);
  if (s->first < 0) s->first = instruction;
  s->last = instruction;
}

static few_status add_operand(struct planning *p, struct instruction *in, int k, few_node v,
                              bool scalar_fill) {
  v = few__plan_canon(p->g, v);
  FEW_TRY(location_of(p, v, &in->in[k]));
  in->call.in[k].shape = few_node_shape(p->g, v);
  in->call.in[k].bf16 = p->bf16[p->root[v]];
  if (scalar_fill && few__op(p->g, v) == FEW_OP_FILL) in->call.in[k].shape = FEW_SCALAR;
  touch(p->plan, in->in[k].storage, p->plan->code.n);
  return FEW_OK;
}

static few_status pick_kernel(struct planning *p, struct instruction *in) {
  const struct few_planning_opts *o = &p->plan->opts;
  bool fused = in->op == FEW_OP_COUNT;
  const struct few_kernel *k =
      fused ? &o->backend->fused[o->real] : &o->backend->kernel[o->real][in->op];
  if (o->backend->missing)
    return few__fail(p->plan->ctx, FEW_E_UNSUPPORTED, "backend %s is not available here: %s",
                     o->backend->name, o->backend->missing);
  assert(o->precision == FEW_FP32 || o->backend->precision[o->precision]);
  if (!k->run)
    return few__fail(p->plan->ctx, FEW_E_UNSUPPORTED,
                     "backend %s has no %s kernel in %s: use backend ref", o->backend->name,
                     few__op_def(in->op)->name, o->real == FEW_F64 ? "f64" : "f32");
  in->run = k->run;
  in->call.node = fused ? NULL : &in->node; /* re-pointed after the array stops moving */
  in->call.program = in->program;
  in->call.direct = o->direct;
  in->call.precision = o->precision;
  size_t scratch = k->scratch ? k->scratch(&in->call) : 0;
  if (scratch > p->plan->scratch_bytes) p->plan->scratch_bytes = scratch;
  return FEW_OK;
}

/* A parameter has room for the form in which its kernel reads it. */
static void reserve_packed(struct planning *p, struct instruction *in) {
  const struct few_kernel *k = &p->plan->opts.backend->kernel[p->plan->opts.real][in->op];
  if (!k->packed || in->call.n_in < 2) return;
  const struct storage *s = &p->plan->storages.at[in->in[1].storage];
  if (s->where != IN_SLOT || !p->plan->slots.at[s->index].param) return;
  const size_t bytes = k->packed(&in->call);
  if (!bytes) return;
  in->pack = k->pack;
  in->packed = p->plan->packed_bytes;
  p->plan->packed_bytes += (bytes + 63) & ~(size_t)63;
}

static few_status push(struct planning *p, const struct instruction *in) {
  struct few_plan *plan = p->plan;
  FEW_TRY(FEW_GROW(plan->ctx, &plan->code, plan->code.n + 1));
  plan->code.at[plan->code.n++] = *in;
  return FEW_OK;
}

static few_status emit_single(struct planning *p, few_node v) {
  const struct few_node_data *d = few__node(p->g, v);
  struct instruction in = {.op = d->op, .node = *d, .n_out = 1};
  in.node.name = NULL;
  in.node.scope = NULL;
  in.call.shape = d->shape;
  in.call.n_in = d->n_in;
  assert(p->root[v] == v && d->n_in <= FEW_PROGRAM_LEAVES);
  for (int k = 0; k < d->n_in; k++)
    FEW_TRY(add_operand(p, &in, k, d->in[k], few__plan_is_pointwise(p->g, v)));
  FEW_TRY(location_of(p, v, &in.out[0]));
  in.call.bf16[0] = p->bf16[p->root[v]];
  touch(p->plan, in.out[0].storage, p->plan->code.n);
  FEW_TRY(pick_kernel(p, &in));
  reserve_packed(p, &in);
  p->plan->op_count[d->op]++;
  p->plan->cost.nodes++;
  const struct few_op_def *def = few__op_def(d->op);
  if (def->flops) p->plan->cost.flops += in.flops = def->flops(p->g, d);
  return push(p, &in);
}

/* Finds the register of operand u in a unit: that of an earlier member, or a leaf, which is added
 * if it is new. */
static few_status find_register(struct planning *p, struct instruction *in, const struct unit *unit,
                                int upto, few_node u, few_node *leaf, int16_t *out) {
  u = few__plan_canon(p->g, u);
  for (int m = 0; m < upto; m++) {
    if (few__plan_member(p, unit, m) != u) continue;
    *out = (int16_t)(-1 - m); /* leaves are not counted yet */
    return FEW_OK;
  }
  int k = 0;
  while (k < in->call.n_in && leaf[k] != u) k++;
  *out = (int16_t)k;
  if (k < in->call.n_in) return FEW_OK;
  assert(k < FEW_PROGRAM_LEAVES);
  leaf[k] = u;
  in->call.n_in++;
  return add_operand(p, in, k, u, true);
}

static few_status emit_fused(struct planning *p, const struct unit *unit) {
  struct instruction in = {.op = FEW_OP_COUNT};
  few_node leaf[FEW_PROGRAM_LEAVES] = {0};
  assert(unit->n <= FEW_PROGRAM_MAX);
  in.call.shape = few_node_shape(p->g, few__plan_member(p, unit, 0));
  FEW_TRY(FEW_NEW(p->plan->ctx, &in.program, 1));
  struct few_program *prog = in.program;
  few_status st = FEW_OK;
  for (int m = 0; m < unit->n; m++) {
    const struct few_node_data *d = few__node(p->g, few__plan_member(p, unit, m));
    struct few_instruction *c = &prog->code[prog->n_code++];
    c->op = d->op;
    c->attr = d->attr;
    for (int k = 0; k < d->n_in; k++)
      FEW_GOTO(find_register(p, &in, unit, m, d->in[k], leaf, &c->in[k]));
    p->plan->op_count[d->op]++;
  }
  prog->n_leaves = in.call.n_in;
  for (int c = 0; c < prog->n_code; c++)
    for (int k = 0; k < 3; k++)
      if (prog->code[c].in[k] < 0)
        prog->code[c].in[k] = (int16_t)(prog->n_leaves - 1 - prog->code[c].in[k]);
  for (int m = 0; m < unit->n; m++) {
    few_node v = few__plan_member(p, unit, m);
    if (!p->stored[v] || p->made[v]) continue;
    assert(prog->n_stores < FEW_PROGRAM_STORES);
    p->made[v] = true;
    prog->store[prog->n_stores++] = (int16_t)(prog->n_leaves + m);
    FEW_GOTO(location_of(p, v, &in.out[in.n_out]));
    in.call.bf16[in.n_out] = p->bf16[p->root[v]];
    touch(p->plan, in.out[in.n_out++].storage, p->plan->code.n);
  }
  FEW_GOTO(pick_kernel(p, &in));
  p->plan->cost.nodes += unit->n;
  p->plan->cost.fused++;
  FEW_GOTO(push(p, &in));
  return FEW_OK;
out:
  few__free(p->plan->ctx, in.program);
  return st;
}

/* Lets the plan compute output i in the caller's array. That is possible if the node owns its
 * bytes. Otherwise (a source, a view, a node that is two outputs) a copy at the end of the plan
 * writes it there. */
static few_status bind_output(struct planning *p, int i) {
  few_node v = few__plan_canon(p->g, p->out[i]);
  if (few__node(p->g, v)->type != FEW_REAL)
    return few__fail(p->plan->ctx, FEW_E_INVALID, "plan: output %d is an index", i);
  struct location at;
  FEW_TRY(location_of(p, v, &at));
  struct storage *s = &p->plan->storages.at[at.storage];
  size_t bytes = few__mul_size((size_t)few_shape_count(few_node_shape(p->g, v)), element(p, v));
  p->plan->out_bytes[i] = bytes;
  if (s->where == IN_ARENA && at.offset == 0 && s->bytes == bytes) {
    s->where = IN_OUTPUT;
    s->index = i;
    return FEW_OK;
  }
  struct instruction in = {.op = FEW_OP_BROADCAST, .n_out = 1};
  in.node = (struct few_node_data){.op = FEW_OP_BROADCAST};
  in.call.n_in = 1;
  in.call.shape = FEW_SHAPE(few_shape_count(few_node_shape(p->g, v)));
  in.call.in[0].shape = in.call.shape;
  in.in[0] = at;
  touch(p->plan, at.storage, p->plan->code.n);
  int out;
  FEW_TRY(new_storage(p, IN_OUTPUT, i, bytes, &out));
  in.out[0] = (struct location){out, 0};
  touch(p->plan, out, p->plan->code.n);
  FEW_TRY(pick_kernel(p, &in));
  return push(p, &in);
}

few_status few__plan_emit(struct planning *p) {
  int n = few_graph_size(p->g);
  FEW_TRY(FEW_NEW(p->plan->ctx, &p->location, n));
  memset(p->made, 0, (size_t)n * sizeof *p->made);
  for (int v = 0; v < n; v++) p->location[v].storage = -1;
  for (int i = 0; i < p->units.n; i++) {
    const struct unit *u = &p->units.at[i];
    FEW_TRY(u->n == 1 ? emit_single(p, few__plan_member(p, u, 0)) : emit_fused(p, u));
  }
  FEW_TRY(FEW_NEW(p->plan->ctx, &p->plan->out_bytes, p->n_out));
  p->plan->n_out = p->n_out;
  for (int i = 0; i < p->n_out; i++) FEW_TRY(bind_output(p, i));
  for (int i = 0; i < p->plan->code.n; i++) {
    struct instruction *in = &p->plan->code.at[i];
    in->call.node = in->op == FEW_OP_COUNT ? NULL : &in->node;
  }
  p->plan->cost.instructions = p->plan->code.n;
  return FEW_OK;
}
