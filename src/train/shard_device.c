/* shard_device.c - an update on a device: one queue runs the shards. Meanwhile the workers fill the
 * rows of the next update.
 */
#include "shard_inside.h"

/* The rows of an update, in host memory that the device reads. */
struct batch {
  int64_t update; /* -1: none */
  float *x, *pair, *guidance, *augment;
  int32_t *label;
};

/* The buffers of a phase. There are two batches, since the rows of an update may still be on their
 * way to the device when those of the next are filled in. */
struct buffers {
  struct batch batch[2];    /* update k is in k % 2 */
  float *grad;              /* device: the gradient of a shard, where the plan writes it */
  float *results, *fetched; /* [shards][n_results] terms, times, logs: on the device, on the host */
  int64_t n_results;
};

struct few_shard_device {
  struct buffers phase[FEW_PHASES];
};

/* ---- memory ---- */

static few_status host_room(const few_shards *s, int64_t bytes, void *out_ptr) {
  void *at = s->arrays->device->alloc_host(s->arrays->queue, (size_t)bytes);
  memcpy(out_ptr, &at, sizeof at);
  return at ? FEW_OK
            : few__fail(s->ctx, FEW_E_MEMORY, "out of memory: %.0f MiB for the rows of a batch",
                        (double)bytes / 1048576);
}

static few_status make_buffers(few_shards *s, enum few_phase_id k) {
  const struct few_setup *setup = s->o.networks.setup;
  const int64_t batch = s->rows * s->shards, item = setup->spec.h * setup->spec.w * setup->spec.c;
  const struct few_phase *p = &s->phase[k];
  struct buffers *a = &s->device->phase[k];
  few_device_plan *device_plan = few__executor_device_plan(s->worker[0].executor, (int)k);
  for (int i = 0; i < 2; i++) {
    struct batch *b = &a->batch[i];
    b->update = -1;
    FEW_TRY(host_room(s, batch * item * (int64_t)sizeof *b->x, &b->x));
    FEW_TRY(host_room(s, batch * (int64_t)sizeof *b->label, &b->label));
    if (setup->config.needs_pairs)
      FEW_TRY(host_room(s, batch * item * (int64_t)sizeof *b->pair, &b->pair));
    if (few__pairs_drawn(setup))
      FEW_TRY(host_room(s, batch * (int64_t)sizeof *b->guidance, &b->guidance));
    if (setup->spec.augment)
      FEW_TRY(host_room(s, batch * setup->spec.augment * (int64_t)sizeof *b->augment, &b->augment));
  }
  a->n_results = p->n_terms + (1 + p->n_logs) * s->rows;
  FEW_TRY(FEW_NEW(s->ctx, &a->fetched, s->shards * a->n_results));
  FEW_TRY(few__arrays_new(s->arrays, &a->results, s->shards * a->n_results));
  FEW_TRY(few__arrays_new(s->arrays, &a->grad, p->n_grads * p->n));
  for (int i = p->first_grad; i < p->n_outs; i++)
    FEW_TRY(few__device_plan_keep_out(device_plan, i, a->grad + p->offset[i - p->first_grad]));
  return FEW_OK;
}

static void free_buffers(const few_shards *s, struct buffers *a) {
  for (int i = 0; i < 2; i++) {
    s->arrays->device->free_host(s->arrays->queue, a->batch[i].x);
    s->arrays->device->free_host(s->arrays->queue, a->batch[i].pair);
    s->arrays->device->free_host(s->arrays->queue, a->batch[i].guidance);
    s->arrays->device->free_host(s->arrays->queue, a->batch[i].augment);
    s->arrays->device->free_host(s->arrays->queue, a->batch[i].label);
  }
  few__free(s->ctx, a->fetched);
  few__arrays_free(s->arrays, a->results);
  few__arrays_free(s->arrays, a->grad);
}

/* ---- rows ---- */

struct filling {
  few_shards *s;
  struct batch *batch;
};

static void fill_shard(void *user, int64_t shard, int worker) {
  struct filling *f = user;
  few_shards *s = f->s;
  struct batch *a = f->batch;
  const struct few_setup *setup = s->o.networks.setup;
  const int64_t first = shard * s->rows, item = setup->spec.h * setup->spec.w * setup->spec.c;
  FEW_UNUSED(worker);
  s->o.fill(s->o.user,
            &(struct few_rows){s->now, a->update, first, s->rows, a->x + first * item,
                               a->label + first, a->pair ? a->pair + first * item : NULL,
                               a->guidance ? a->guidance + first : NULL,
                               a->augment ? a->augment + first * setup->spec.augment : NULL});
}

static struct batch *fill_ahead(few_shards *s, int64_t update) {
  struct filling f = {s, &s->device->phase[s->now].batch[update % 2]};
  if (f.batch->update == update) return f.batch;
  f.batch->update = update;
  few__workers_run(s->arrays->workers, s->shards, fill_shard, &f);
  return f.batch;
}

static bool within(const void *at, const float *begin, int64_t n) {
  return begin && (uintptr_t)at >= (uintptr_t)begin && (uintptr_t)at < (uintptr_t)(begin + n);
}

/* Parameters that are trained are read in place. Those of other networks are copied to the device
 * once. */
static few_status keep_values(const few_shards *s, struct few_shard_worker *w) {
  const struct few_values *v = &s->values;
  const int64_t n = few__parameters(&s->o.networks);
  const int64_t n_model = s->o.networks.student->params.total;
  few_device_plan *device_plan = few__executor_device_plan(w->executor, (int)s->now);
  const few_plan *plan = s->phase[s->now].plan;
  for (int i = 0; i < few__plan_slots(plan); i++) {
    const void *at = w->slots[s->now][i];
    if (within(at, v->param, n) || within(at, v->target, n_model))
      FEW_TRY(few__device_plan_keep_slot(device_plan, i, at));
  }
  return FEW_OK;
}

static few_status enqueue_shard(few_shards *s, struct few_shard_worker *w,
                                const struct batch *batch, int64_t shard) {
  const struct few_phase *p = &s->phase[s->now];
  const struct few_setup *setup = s->o.networks.setup;
  const struct buffers *a = &s->device->phase[s->now];
  const int64_t first = shard * s->rows, item = setup->spec.h * setup->spec.w * setup->spec.c;
  few_device_plan *device_plan = few__executor_device_plan(w->executor, (int)s->now);
  const void **slots = w->slots[s->now];
  few__shard_set_slot(slots, p->plan, "x", batch->x + first * item);
  few__shard_set_slot(slots, p->plan, "label", batch->label + first);
  if (batch->pair) few__shard_set_slot(slots, p->plan, "pair", batch->pair + first * item);
  if (batch->guidance)
    few__shard_set_slot(slots, p->plan, "pair_guidance", batch->guidance + first);
  if (batch->augment)
    few__shard_set_slot(slots, p->plan, "augment", batch->augment + first * setup->spec.augment);
  FEW_TRY(few__device_plan_enqueue(
      device_plan, &(struct few_binding){.slots = slots,
                                         .key = few__shard_key(s, first),
                                         .seconds = s->now == FEW_PHASE_STUDENT ? w->seconds : NULL,
                                         .values = 1}));
  float *at = a->results + shard * a->n_results;
  for (int i = 0; i < p->first_grad; i++) {
    const int64_t n = i < p->n_terms ? 1 : s->rows;
    few__arrays_copy(s->arrays, at, few__device_plan_out(device_plan, i), n);
    at += n;
  }
  float *grad = few__reduce_take(s->reduction[s->now]);
  few__arrays_copy(s->arrays, grad, a->grad, p->n_grads * p->n);
  few__reduce_add(s->reduction[s->now], shard, grad);
  return FEW_OK;
}

static void read_results(const few_shards *s) {
  const struct few_phase *p = &s->phase[s->now];
  const struct buffers *a = &s->device->phase[s->now];
  for (int64_t shard = 0; shard < s->shards; shard++) {
    const float *at = a->fetched + shard * a->n_results;
    for (int i = 0; i < p->n_terms; i++) s->loss[i * s->shards + shard] = (double)*at++;
    for (int i = 0; i < 1 + p->n_logs; i++, at += s->rows)
      memcpy(s->rows_out + i * s->rows * s->shards + shard * s->rows, at,
             (size_t)s->rows * sizeof *at);
  }
}

static few_status update(few_shards *s) {
  struct buffers *a = &s->device->phase[s->now];
  struct few_shard_worker *w = &s->worker[0];
  const struct batch *batch = fill_ahead(s, s->update);
  if (few__shard_bind(s, w)) FEW_TRY(keep_values(s, w));
  for (int64_t shard = 0; shard < s->shards; shard++) FEW_TRY(enqueue_shard(s, w, batch, shard));
  fill_ahead(s, s->update + 1); /* the device is busy meanwhile */
  FEW_TRY(few__arrays_get(s->arrays, a->fetched, a->results, s->shards * a->n_results));
  read_results(s);
  return FEW_OK;
}

static few_status open(few_shards *s) {
  FEW_TRY(FEW_NEW(s->ctx, &s->device, 1));
  for (int k = 0; k < FEW_PHASES; k++)
    if (s->phase[k].plan) FEW_TRY(make_buffers(s, (enum few_phase_id)k));
  return FEW_OK;
}

static void close(few_shards *s) {
  for (int k = 0; s->device && k < FEW_PHASES; k++) free_buffers(s, &s->device->phase[k]);
  few__free(s->ctx, s->device);
}

const struct few_shard_way few__shard_device = {open, close, update};
