/* placed.c - see placed.h. */
#include "placed.h"

#include "plan_internal.h"

struct room {
  void *at;
  bool kept;
};

struct few_placed {
  few_ctx *ctx;
  const few_plan *plan;
  const struct few_device *device;
  struct few_queue *queue;
  char *pool, *arena;
  /* The binding of the last replay, and its kernels if it came twice. */
  const void **slots;
  void **outs;
  bool replayed;
  struct few_recording *recording;
  /* The device's places for few__placed_run, made when first needed: its own, or kept ones. */
  struct room *slot_room, *out_room;
  void **slot_at, **out_at; /* as a binding has them */
  uint64_t values;          /* few_binding.values of what the params' places hold */
};

static few_status room(const few_placed *p, size_t bytes, void *out_ptr) {
  void *at = p->device->alloc(p->queue, bytes);
  memcpy(out_ptr, &at, sizeof at);
  return at ? FEW_OK
            : few__fail(p->ctx, FEW_E_MEMORY,
                        "out of memory on the device: %.0f MiB are wanted: take smaller batches",
                        (double)bytes / 1048576);
}

static few_status finish(const few_placed *p) {
  const char *why = p->device->finish(p->queue);
  return why ? few__fail(p->ctx, FEW_E_IO, "backend %s: %s", p->plan->opts.backend->name, why)
             : FEW_OK;
}

few_status few__placed_create(few_ctx *ctx, few_placed **out, const few_plan *plan,
                              struct few_queue *q) {
  few_placed *p;
  few_status st;
  *out = NULL;
  FEW_TRY(FEW_NEW(ctx, &p, 1));
  *p = (few_placed){.ctx = ctx, .plan = plan, .device = plan->opts.backend->device, .queue = q};
  assert(p->device);
  FEW_GOTO(room(p, plan->pool_bytes, &p->pool));
  FEW_GOTO(room(p, plan->cost.arena_bytes, &p->arena));
  FEW_GOTO(FEW_NEW(ctx, &p->slots, plan->slots.n + 1));
  FEW_GOTO(FEW_NEW(ctx, &p->outs, plan->n_out + 1));
  p->device->put(q, p->pool, plan->pool, plan->pool_bytes);
  FEW_GOTO(finish(p));
  *out = p;
out:
  if (st) few__placed_free(p);
  return st;
}

static void free_rooms(few_placed *p, struct room *rooms, int n) {
  for (int i = 0; rooms && i < n; i++)
    if (!rooms[i].kept) p->device->free(p->queue, rooms[i].at);
  few__free(p->ctx, rooms);
}

void few__placed_free(few_placed *p) {
  if (!p) return;
  p->device->recording_free(p->recording);
  p->device->free(p->queue, p->pool);
  p->device->free(p->queue, p->arena);
  free_rooms(p, p->slot_room, p->plan->slots.n);
  free_rooms(p, p->out_room, p->plan->n_out);
  few__free(p->ctx, p->slot_at);
  few__free(p->ctx, p->out_at);
  few__free(p->ctx, p->slots);
  few__free(p->ctx, p->outs);
  few__free(p->ctx, p);
}

static void enqueue(const few_placed *p, const struct few_binding *b) {
  few__plan_run(p->plan, &(struct few_places){p->arena, p->pool, p->queue}, b);
}

/* The first replay runs its kernels, which find their algorithms and compile what they must; the
 * second, of the same places, records them. */
void few__placed_replay(few_placed *p, const struct few_binding *b) {
  const size_t slots = (size_t)p->plan->slots.n * sizeof *p->slots;
  const size_t outs = (size_t)p->plan->n_out * sizeof *p->outs;
  const bool same = p->replayed && !b->seconds && !memcmp(p->slots, b->slots, slots) &&
                    !memcmp(p->outs, b->outs, outs);
  p->device->set_key(p->queue, &b->key);
  if (!same) {
    memcpy(p->slots, b->slots, slots);
    memcpy(p->outs, b->outs, outs);
    p->device->recording_free(p->recording);
    p->recording = NULL;
    p->replayed = !b->seconds; /* a profile is not recorded */
    enqueue(p, b);
    return;
  }
  if (!p->recording) {
    p->device->record_begin(p->queue);
    enqueue(p, b);
    p->recording = p->device->record_end(p->queue);
  }
  if (p->recording) p->device->launch(p->queue, p->recording);
}

/* ---- with the host's memory ---- */

static size_t slot_bytes(const few_placed *p, int i) {
  const struct few_slot *s = &p->plan->slots.at[i];
  const size_t size = s->type == FEW_INDEX ? sizeof(int32_t) : few__real_size(p->plan->opts.real);
  return few__mul_size((size_t)few_shape_count(s->shape), size);
}

static few_status make_tables(few_placed *p) {
  if (p->out_at) return FEW_OK;
  FEW_TRY(FEW_NEW(p->ctx, &p->slot_room, p->plan->slots.n + 1));
  FEW_TRY(FEW_NEW(p->ctx, &p->out_room, p->plan->n_out + 1));
  FEW_TRY(FEW_NEW(p->ctx, &p->slot_at, p->plan->slots.n + 1));
  return FEW_NEW(p->ctx, &p->out_at, p->plan->n_out + 1);
}

static few_status make_rooms(few_placed *p) {
  const few_plan *plan = p->plan;
  FEW_TRY(make_tables(p));
  for (int i = 0; i < plan->slots.n; i++) {
    if (!p->slot_room[i].at) FEW_TRY(room(p, slot_bytes(p, i), &p->slot_room[i].at));
    p->slot_at[i] = p->slot_room[i].at;
  }
  for (int i = 0; i < plan->n_out; i++) {
    if (!p->out_room[i].at) FEW_TRY(room(p, plan->out_bytes[i], &p->out_room[i].at));
    p->out_at[i] = p->out_room[i].at;
  }
  return FEW_OK;
}

static void keep(few_placed *p, struct room *r, void *at) {
  if (!r->kept) p->device->free(p->queue, r->at);
  *r = (struct room){at, true};
}

few_status few__placed_keep_slot(few_placed *p, int i, const void *at) {
  FEW_TRY(make_tables(p));
  keep(p, &p->slot_room[i], (void *)(uintptr_t)at); /* kernels only read */
  return FEW_OK;
}

few_status few__placed_keep_out(few_placed *p, int i, void *at) {
  FEW_TRY(make_tables(p));
  keep(p, &p->out_room[i], at);
  return FEW_OK;
}

void *few__placed_out(const few_placed *p, int i) { return p->out_room[i].at; }

few_status few__placed_enqueue(few_placed *p, const struct few_binding *b) {
  const few_plan *plan = p->plan;
  FEW_TRY(make_rooms(p));
  const bool same = b->values && b->values == p->values;
  for (int i = 0; i < plan->slots.n; i++) {
    if (p->slot_room[i].kept || (same && plan->slots.at[i].param)) continue;
    p->device->put(p->queue, p->slot_room[i].at, b->slots[i], slot_bytes(p, i));
  }
  p->values = b->values;
  struct few_binding there = *b;
  there.slots = (const void *const *)p->slot_at;
  there.outs = p->out_at;
  few__placed_replay(p, &there);
  return FEW_OK;
}

few_status few__placed_run(few_placed *p, const struct few_binding *b) {
  FEW_TRY(few__placed_enqueue(p, b));
  for (int i = 0; i < p->plan->n_out; i++)
    if (!p->out_room[i].kept)
      p->device->get(p->queue, b->outs[i], p->out_room[i].at, p->plan->out_bytes[i]);
  return finish(p);
}
