/* shard_host.c - an update on the host: each worker runs whole shards, one after the other. */
#include "shard_inside.h"

static void run_shard(void *user, int64_t shard, int worker) {
  few_shards *s = user;
  struct few_shard_worker *w = &s->worker[worker];
  const struct few_phase *p = &s->phase[s->now];
  const int64_t batch = s->rows * s->shards, first = shard * s->rows;
  s->o.fill(s->o.user, &(struct few_rows){s->now, s->update, first, s->rows, w->x, w->label,
                                          w->pair, w->guidance, w->augment});
  few__shard_bind(s, w);
  float *grad = few__reduce_take(s->reduction[s->now]), term[FEW_MAX_TERMS] = {0};
  void **outs = w->outs[s->now];
  for (int i = 0; i < p->n_terms; i++) outs[i] = &term[i];
  for (int i = 0; i < 1 + p->n_logs; i++) outs[p->n_terms + i] = s->rows_out + i * batch + first;
  for (int i = p->first_grad; i < p->n_outs; i++) outs[i] = grad + p->offset[i - p->first_grad];
  const struct few_binding b = {
      .slots = w->slots[s->now],
      .outs = outs,
      .key = few__shard_key(s, first),
      .seconds = s->now == FEW_PHASE_STUDENT ? w->seconds : NULL,
      .values = s->steps,
      .watch = s->watched ? &s->watch : NULL,
      .worker = worker,
  };
  const few_status st = few__executor_run(w->executor, (int)s->now, &b);
  if (!w->status) w->status = st;
  for (int i = 0; i < p->n_terms; i++) s->loss[i * s->shards + shard] = (double)term[i];
  few__reduce_add(s->reduction[s->now], shard, grad);
}

static few_status update(few_shards *s) {
  few__workers_run(s->arrays->workers, s->shards, run_shard, s);
  for (int i = 0; i < s->n_workers; i++) FEW_TRY(s->worker[i].status);
  return s->watched ? s->watch.status : FEW_OK;
}

static few_status open(few_shards *s) {
  FEW_UNUSED(s);
  return FEW_OK;
}

static void close(few_shards *s) { FEW_UNUSED(s); }

const struct few_shard_way few__shard_host = {open, close, update};
