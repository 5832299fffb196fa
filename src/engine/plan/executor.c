/* executor.c - see executor.h. */
#include "executor.h"

#include "base/workers.h"
#include "plan_internal.h"

static few_status make_arena(few_executor *e) {
  size_t most = 0;
  for (int k = 0; k < e->n; k++)
    if (e->plan[k] && few__plan_arena(e->plan[k]) > most) most = few__plan_arena(e->plan[k]);
  e->arena = few__alloc(e->ctx, most + 64);
  return e->arena ? FEW_OK
                  : few__fail(e->ctx, FEW_E_MEMORY,
                              "out of memory: each worker needs %.1f MiB: use fewer "
                              "workers",
                              (double)most / 1048576);
}

static few_status put_on_device(few_executor *e, const struct few_backend *backend) {
  if (!e->borrowed) FEW_TRY(few__backend_open(e->ctx, backend, &e->queue));
  e->device = backend->device;
  FEW_TRY(FEW_NEW(e->ctx, &e->device_plan, e->n));
  for (int k = 0; k < e->n; k++)
    if (e->plan[k])
      FEW_TRY(few__device_plan_create(e->ctx, &e->device_plan[k], e->plan[k], e->queue));
  return FEW_OK;
}

static few_status make(few_executor *e, const few_plan *const *plans) {
  const struct few_backend *backend = NULL;
  FEW_TRY(FEW_NEW(e->ctx, &e->plan, e->n));
  for (int k = 0; k < e->n; k++) {
    e->plan[k] = plans[k];
    if (!plans[k]) continue;
    assert(!backend || backend == plans[k]->opts.backend);
    backend = plans[k]->opts.backend;
  }
  return backend && backend->device ? put_on_device(e, backend) : make_arena(e);
}

few_status few__executor_create(few_ctx *ctx, few_executor **out, int n,
                                const few_plan *const *plans, struct few_queue *queue) {
  few_executor *e;
  assert(n >= 0);
  *out = NULL;
  FEW_TRY(FEW_NEW(ctx, &e, 1));
  *e = (few_executor){.ctx = ctx, .n = n, .queue = queue, .borrowed = queue != NULL};
  few_status st = make(e, plans);
  if (st)
    few__executor_free(e);
  else
    *out = e;
  return st;
}

void few__executor_free(few_executor *e) {
  if (!e) return;
  for (int k = 0; e->device_plan && k < e->n; k++) few__device_plan_free(e->device_plan[k]);
  if (e->device && !e->borrowed) e->device->close(e->queue);
  few__free(e->ctx, e->device_plan);
  few__free(e->ctx, e->arena);
  few__free(e->ctx, (void *)e->plan);
  few__free(e->ctx, (void *)e->slots);
  few__free(e->ctx, (void *)e->outs);
  few__workers_free(e->workers);
  few__free(e->ctx, e);
}

few_status few__executor_run(few_executor *e, int k, const struct few_binding *b) {
  assert(0 <= k && k < e->n && e->plan[k]);
  if (e->device) return few__device_plan_run(e->device_plan[k], b);
  few__plan_replay(e->plan[k], e->arena, b);
  return FEW_OK;
}

few_device_plan *few__executor_device_plan(const few_executor *e, int k) {
  assert(0 <= k && k < e->n);
  return e->device ? e->device_plan[k] : NULL;
}
