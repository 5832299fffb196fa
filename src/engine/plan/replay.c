/* replay.c - makes plans and runs them. */
#include <stdio.h>

#include "base/watch.h"
#include "plan_internal.h"

void few__plan_planning_free(struct planning *p) {
  few_ctx *ctx = p->plan->ctx;
  few__free(ctx, p->order);
  few__free(ctx, p->live);
  few__free(ctx, p->root);
  few__free(ctx, p->view_offset);
  few__free(ctx, p->late);
  few__free(ctx, p->recomputed);
  few__free(ctx, p->stored);
  few__free(ctx, p->bf16);
  few__free(ctx, p->made);
  few__free(ctx, p->units.at);
  few__free(ctx, p->members.at);
  few__free(ctx, p->location);
}

/* Debug builds verify every plan. */
#ifndef FEW_VERIFY_PLANS
#define FEW_VERIFY_PLANS 0
#endif

static few_status run_passes(struct planning *p) {
  const bool verify = p->plan->opts.verify || FEW_VERIFY_PLANS;
  FEW_TRY(few__plan_order(p));
  if (verify) FEW_TRY(few__plan_verify_order(p));
  FEW_TRY(few__plan_recompute(p));
  if (verify) FEW_TRY(few__plan_verify_recompute(p));
  FEW_TRY(few__plan_fuse(p));
  if (verify) FEW_TRY(few__plan_verify_units(p));
  FEW_TRY(few__plan_bf16(p));
  if (verify) FEW_TRY(few__plan_verify_bf16(p));
  FEW_TRY(few__plan_emit(p));
  if (verify) FEW_TRY(few__plan_verify_programs(p));
  if (verify) FEW_TRY(few__plan_verify_code(p->plan));
  FEW_TRY(few__plan_memory(p->plan));
  FEW_TRY(few__packed_create(p->plan));
  return verify ? few__plan_verify_memory(p->plan) : FEW_OK;
}

static size_t param_bytes(const few_plan *p) {
  size_t count = 0;
  for (int i = 0; i < p->slots.n; i++)
    if (p->slots.at[i].param) count += (size_t)few_shape_count(p->slots.at[i].shape);
  return count * few__real_size(p->opts.real);
}

few_status few__plan_create(few_ctx *ctx, few_plan **out_plan, const few_graph *g,
                            const struct few_planning_opts *opts, int n_out, const few_node *out) {
  *out_plan = NULL;
  assert(opts->backend && n_out >= 0);
  FEW_TRY(few_graph_status(g));
  few_plan *plan;
  FEW_TRY(FEW_NEW(ctx, &plan, 1));
  plan->ctx = ctx;
  plan->opts = *opts;
  struct planning p = {.plan = plan, .g = g, .n_out = n_out, .out = out};
  const few_status st = run_passes(&p);
  plan->cost.scratch_bytes = plan->scratch_bytes;
  plan->cost.param_bytes = param_bytes(plan);
  plan->cost.packed_bytes = plan->packed_bytes;
  plan->cost.arena_bytes = plan->arena_bytes + plan->scratch_bytes;
  few__plan_planning_free(&p);
  if (st) {
    few__plan_free(plan);
    return st;
  }
  *out_plan = plan;
  return FEW_OK;
}

void few__plan_free(few_plan *p) {
  if (!p) return;
  few_ctx *ctx = p->ctx;
  for (int i = 0; i < p->slots.n; i++) few__free(ctx, (void *)(uintptr_t)p->slots.at[i].name);
  for (int i = 0; i < p->code.n; i++) few__free(ctx, p->code.at[i].program);
  few__free(ctx, p->slots.at);
  few__free(ctx, p->storages.at);
  few__free(ctx, p->code.at);
  few__free(ctx, p->pool);
  few__packed_free(ctx, p->packed);
  for (int i = 0; p->outputs && i < p->n_out; i++)
    few__free(ctx, (void *)(uintptr_t)p->outputs[i].name);
  few__free(ctx, p->outputs);
  few__free(ctx, p->out_bytes);
  few__free(ctx, p);
}

int few__plan_slots(const few_plan *p) { return p->slots.n; }
const struct few_slot *few__plan_slot(const few_plan *p, int i) {
  assert(0 <= i && i < p->slots.n);
  return &p->slots.at[i];
}

int few__plan_find_slot(const few_plan *p, const char *name) {
  for (int i = 0; i < p->slots.n; i++)
    if (!strcmp(p->slots.at[i].name, name)) return i;
  return -1;
}

size_t few__plan_arena(const few_plan *p) { return p->cost.arena_bytes; }
struct few_plan_cost few__plan_cost(const few_plan *p) {
  return p->cost;
}
int few__plan_count_op(const few_plan *p, few_op op) { return p->op_count[op]; }

char *few__plan_address(const few_plan *p, const struct few_run_memory *in,
                        const struct few_binding *b, struct location at) {
  assert(0 <= at.storage && at.storage < p->storages.n);
  const struct storage *s = &p->storages.at[at.storage];
  switch (s->where) {
    case IN_ARENA:
      return in->arena + s->offset + at.offset;
    case IN_POOL:
      return (char *)(uintptr_t)in->pool + s->offset + at.offset;
    case IN_SLOT:
      return (char *)(uintptr_t)b->slots[s->index] + at.offset; /* kernels only read */
    case IN_OUTPUT:
      return (char *)b->outs[s->index] + at.offset;
  }
  return NULL;
}

static void run(const few_plan *p, const struct few_run_memory *at, const struct few_binding *b,
                const struct instruction *in) {
  struct few_call call = in->call;
  for (int k = 0; k < call.n_in; k++) call.in[k].data = few__plan_address(p, at, b, in->in[k]);
  for (int k = 0; k < in->n_out; k++) call.outs[k] = few__plan_address(p, at, b, in->out[k]);
  call.out = call.outs[0];
  call.scratch = at->arena + p->arena_bytes;
  call.packed = in->pack && at->packed ? at->packed + in->packed : NULL;
  call.key = b->key;
  call.queue = at->queue;
  in->run(&call);
}

void few__plan_run(const few_plan *p, const struct few_run_memory *at,
                   const struct few_binding *b) {
  for (int i = 0; i < p->code.n; i++) {
    if (b->watch && !at->queue && few__watch_stop(b->watch, b->worker)) return;
    double start = b->seconds ? few__now() : 0;
    run(p, at, b, &p->code.at[i]);
    if (b->seconds && at->queue) p->opts.backend->device->get(at->queue, NULL, NULL, 0); /* wait */
    if (b->seconds) b->seconds[i] += few__now() - start;
  }
}

void few__plan_replay(const few_plan *p, void *arena, const struct few_binding *b) {
  assert((uintptr_t)arena % sizeof(double) == 0);
  assert(!p->opts.backend->device); /* few__device_plan_replay does that */
  const char *packed = p->packed ? few__packed_bring(p, b) : NULL;
  few__plan_run(p, &(struct few_run_memory){arena, p->pool, NULL, packed}, b);
}
