/* seat.c - see seat.h. */
#include "seat.h"

#include "plan_internal.h"

struct few_seat {
  few_ctx *ctx;
  int n;
  const few_plan **plan;
  void *arena; /* on the host: as large as the largest plan wants it */
  const struct few_device *device;
  struct few_queue *queue;
  bool borrowed; /* the queue */
  few_placed **placed;
};

static few_status make_arena(few_seat *s) {
  size_t most = 0;
  for (int k = 0; k < s->n; k++)
    if (s->plan[k] && few__plan_arena(s->plan[k]) > most) most = few__plan_arena(s->plan[k]);
  s->arena = few__alloc(s->ctx, most + 64);
  return s->arena ? FEW_OK
                  : few__fail(s->ctx, FEW_E_MEMORY,
                              "out of memory: %.1f MiB are wanted for each worker: use fewer "
                              "workers",
                              (double)most / 1048576);
}

static few_status place(few_seat *s, const struct few_backend *backend) {
  if (!s->borrowed) FEW_TRY(few__backend_open(s->ctx, backend, &s->queue));
  s->device = backend->device;
  FEW_TRY(FEW_NEW(s->ctx, &s->placed, s->n));
  for (int k = 0; k < s->n; k++)
    if (s->plan[k]) FEW_TRY(few__placed_create(s->ctx, &s->placed[k], s->plan[k], s->queue));
  return FEW_OK;
}

static few_status make(few_seat *s, const few_plan *const *plans) {
  const struct few_backend *backend = NULL;
  FEW_TRY(FEW_NEW(s->ctx, &s->plan, s->n));
  for (int k = 0; k < s->n; k++) {
    s->plan[k] = plans[k];
    if (!plans[k]) continue;
    assert(!backend || backend == plans[k]->opts.backend);
    backend = plans[k]->opts.backend;
  }
  return backend && backend->device ? place(s, backend) : make_arena(s);
}

few_status few__seat_create(few_ctx *ctx, few_seat **out, int n, const few_plan *const *plans,
                            struct few_queue *queue) {
  few_seat *s;
  *out = NULL;
  FEW_TRY(FEW_NEW(ctx, &s, 1));
  *s = (few_seat){.ctx = ctx, .n = n, .queue = queue, .borrowed = queue != NULL};
  few_status st = make(s, plans);
  if (st)
    few__seat_free(s);
  else
    *out = s;
  return st;
}

void few__seat_free(few_seat *s) {
  if (!s) return;
  for (int k = 0; s->placed && k < s->n; k++) few__placed_free(s->placed[k]);
  if (s->device && !s->borrowed) s->device->close(s->queue);
  few__free(s->ctx, s->placed);
  few__free(s->ctx, s->arena);
  few__free(s->ctx, (void *)s->plan);
  few__free(s->ctx, s);
}

few_status few__seat_run(few_seat *s, int k, const struct few_binding *b) {
  if (s->device) return few__placed_run(s->placed[k], b);
  few__plan_replay(s->plan[k], s->arena, b);
  return FEW_OK;
}

few_placed *few__seat_placed(const few_seat *s, int k) { return s->device ? s->placed[k] : NULL; }
