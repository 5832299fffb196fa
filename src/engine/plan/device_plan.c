/* device_plan.c - see device_plan.h. */
#include "device_plan.h"

#include "plan_internal.h"

struct buffer {
  void *at;
  bool kept;
};

struct few_device_plan {
  few_ctx *ctx;
  const few_plan *plan;
  const struct few_device *device;
  struct few_queue *queue;
  char *pool, *arena;
  /* The binding of the last replay, and its kernels, captured at the second replay. */
  const void **slots;
  void **outs;
  bool replayed;
  struct few_captured_graph *captured;
  /* Device memory for few__device_plan_run, allocated when first needed or kept by the caller. */
  struct buffer *slot_buffer, *out_buffer;
  void **slot_at, **out_at; /* as a binding has them */
  uint64_t values;          /* few_binding.values of the parameters that are on the device */
};

static few_status reserve(const few_device_plan *p, size_t bytes, void *out_ptr) {
  void *at = p->device->alloc(p->queue, bytes);
  memcpy(out_ptr, &at, sizeof at);
  return at ? FEW_OK
            : few__fail(p->ctx, FEW_E_MEMORY,
                        "out of memory on the device: %.0f MiB are needed: use smaller batches",
                        (double)bytes / 1048576);
}

static few_status finish(const few_device_plan *p) {
  const char *why = p->device->finish(p->queue);
  return why ? few__fail(p->ctx, FEW_E_IO, "backend %s: %s", p->plan->opts.backend->name, why)
             : FEW_OK;
}

few_status few__device_plan_create(few_ctx *ctx, few_device_plan **out, const few_plan *plan,
                                   struct few_queue *q) {
  few_device_plan *p;
  few_status st;
  *out = NULL;
  FEW_TRY(FEW_NEW(ctx, &p, 1));
  *p =
      (few_device_plan){.ctx = ctx, .plan = plan, .device = plan->opts.backend->device, .queue = q};
  assert(p->device);
  FEW_GOTO(reserve(p, plan->pool_bytes, &p->pool));
  FEW_GOTO(reserve(p, plan->cost.arena_bytes, &p->arena));
  FEW_GOTO(FEW_NEW(ctx, &p->slots, plan->slots.n + 1));
  FEW_GOTO(FEW_NEW(ctx, &p->outs, plan->n_out + 1));
  p->device->put(q, p->pool, plan->pool, plan->pool_bytes);
  FEW_GOTO(finish(p));
  *out = p;
out:
  if (st) few__device_plan_free(p);
  return st;
}

static void free_buffers(few_device_plan *p, struct buffer *buffers, int n) {
  for (int i = 0; buffers && i < n; i++)
    if (!buffers[i].kept) p->device->free(p->queue, buffers[i].at);
  few__free(p->ctx, buffers);
}

void few__device_plan_free(few_device_plan *p) {
  if (!p) return;
  p->device->captured_graph_free(p->captured);
  p->device->free(p->queue, p->pool);
  p->device->free(p->queue, p->arena);
  free_buffers(p, p->slot_buffer, p->plan->slots.n);
  free_buffers(p, p->out_buffer, p->plan->n_out);
  few__free(p->ctx, p->slot_at);
  few__free(p->ctx, p->out_at);
  few__free(p->ctx, p->slots);
  few__free(p->ctx, p->outs);
  few__free(p->ctx, p);
}

static void enqueue(const few_device_plan *p, const struct few_binding *b) {
  few__plan_run(p->plan,
                &(struct few_run_memory){.arena = p->arena, .pool = p->pool, .queue = p->queue}, b);
}

/* The first replay of a binding runs the kernels, which choose their algorithms and compile fused
 * programs. The second captures them. */
void few__device_plan_replay(few_device_plan *p, const struct few_binding *b) {
  const size_t slots = (size_t)p->plan->slots.n * sizeof *p->slots;
  const size_t outs = (size_t)p->plan->n_out * sizeof *p->outs;
  const bool same = p->replayed && !b->seconds && !memcmp(p->slots, b->slots, slots) &&
                    !memcmp(p->outs, b->outs, outs);
  p->device->set_key(p->queue, &b->key);
  if (!same) {
    memcpy(p->slots, b->slots, slots);
    memcpy(p->outs, b->outs, outs);
    p->device->captured_graph_free(p->captured);
    p->captured = NULL;
    p->replayed = !b->seconds; /* a profile is not captured */
    enqueue(p, b);
    return;
  }
  if (!p->captured) {
    p->device->capture_begin(p->queue);
    enqueue(p, b);
    p->captured = p->device->capture_end(p->queue);
  }
  if (p->captured) p->device->launch(p->queue, p->captured);
}

/* ---- with the host's memory ---- */

static size_t slot_bytes(const few_device_plan *p, int i) {
  const struct few_slot *s = &p->plan->slots.at[i];
  const size_t size = s->type == FEW_INDEX ? sizeof(int32_t) : few__real_size(p->plan->opts.real);
  return few__mul_size((size_t)few_shape_count(s->shape), size);
}

static few_status make_tables(few_device_plan *p) {
  if (p->out_at) return FEW_OK;
  FEW_TRY(FEW_NEW(p->ctx, &p->slot_buffer, p->plan->slots.n + 1));
  FEW_TRY(FEW_NEW(p->ctx, &p->out_buffer, p->plan->n_out + 1));
  FEW_TRY(FEW_NEW(p->ctx, &p->slot_at, p->plan->slots.n + 1));
  return FEW_NEW(p->ctx, &p->out_at, p->plan->n_out + 1);
}

static few_status make_buffers(few_device_plan *p) {
  const few_plan *plan = p->plan;
  FEW_TRY(make_tables(p));
  for (int i = 0; i < plan->slots.n; i++) {
    if (!p->slot_buffer[i].at) FEW_TRY(reserve(p, slot_bytes(p, i), &p->slot_buffer[i].at));
    p->slot_at[i] = p->slot_buffer[i].at;
  }
  for (int i = 0; i < plan->n_out; i++) {
    if (!p->out_buffer[i].at) FEW_TRY(reserve(p, plan->out_bytes[i], &p->out_buffer[i].at));
    p->out_at[i] = p->out_buffer[i].at;
  }
  return FEW_OK;
}

static void keep(few_device_plan *p, struct buffer *r, void *at) {
  if (!r->kept) p->device->free(p->queue, r->at);
  *r = (struct buffer){at, true};
}

few_status few__device_plan_keep_slot(few_device_plan *p, int i, const void *at) {
  assert(0 <= i && i < p->plan->slots.n && at);
  FEW_TRY(make_tables(p));
  keep(p, &p->slot_buffer[i], (void *)(uintptr_t)at); /* kernels only read */
  return FEW_OK;
}

few_status few__device_plan_keep_out(few_device_plan *p, int i, void *at) {
  assert(0 <= i && i < p->plan->n_out && at);
  FEW_TRY(make_tables(p));
  keep(p, &p->out_buffer[i], at);
  return FEW_OK;
}

void *few__device_plan_out(const few_device_plan *p, int i) { return p->out_buffer[i].at; }

few_status few__device_plan_enqueue(few_device_plan *p, const struct few_binding *b) {
  const few_plan *plan = p->plan;
  FEW_TRY(make_buffers(p));
  const bool same = b->values && b->values == p->values;
  for (int i = 0; i < plan->slots.n; i++) {
    if (p->slot_buffer[i].kept || (same && plan->slots.at[i].param)) continue;
    assert(b->slots[i]);
    p->device->put(p->queue, p->slot_buffer[i].at, b->slots[i], slot_bytes(p, i));
  }
  p->values = b->values;
  struct few_binding there = *b;
  there.slots = (const void *const *)p->slot_at;
  there.outs = p->out_at;
  few__device_plan_replay(p, &there);
  return FEW_OK;
}

few_status few__device_plan_run(few_device_plan *p, const struct few_binding *b) {
  FEW_TRY(few__device_plan_enqueue(p, b));
  for (int i = 0; i < p->plan->n_out; i++)
    if (!p->out_buffer[i].kept)
      p->device->get(p->queue, b->outs[i], p->out_buffer[i].at, p->plan->out_bytes[i]);
  return finish(p);
}
