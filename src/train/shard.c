/* shard.c - see shard.h. shard_host.c and shard_device.c compute an update. */
#include "shard_inside.h"

#include <math.h>

#include "train/optim/clip.h"

/* ---- memory ---- */

void few__shard_set_slot(const void **slots, const few_plan *plan, const char *name,
                         const void *at) {
  int i = few__plan_find_slot(plan, name);
  if (i >= 0) slots[i] = at;
}

static few_status make_bindings(struct few_shards *s, struct few_shard_worker *w, int k) {
  const few_plan *plan = s->phase[k].plan;
  char name[16];
  if (!plan) return FEW_OK;
  FEW_TRY(FEW_NEW(s->ctx, &w->slots[k], few__plan_slots(plan) + 1));
  FEW_TRY(FEW_NEW(s->ctx, &w->outs[k], s->phase[k].n_outs));
  few__shard_set_slot(w->slots[k], plan, "x", w->x);
  few__shard_set_slot(w->slots[k], plan, "label", w->label);
  few__shard_set_slot(w->slots[k], plan, "pair", w->pair);
  few__shard_set_slot(w->slots[k], plan, "pair_guidance", w->guidance);
  few__shard_set_slot(w->slots[k], plan, "augment", w->augment);
  for (int i = 0; i < FEW_SHARD_SCALARS; i++)
    few__shard_set_slot(w->slots[k], plan, few__phase_scalar(i, name), &s->scalar[i]);
  return FEW_OK;
}

static few_status make_executor(const struct few_shards *s, struct few_shard_worker *w) {
  const few_plan *plans[FEW_PHASES];
  for (int k = 0; k < FEW_PHASES; k++) plans[k] = s->phase[k].plan;
  const few_status st =
      few__executor_create(s->ctx, &w->executor, FEW_PHASES, plans, s->arrays->queue);
  return st == FEW_E_MEMORY
             ? few__fail_in(s->ctx, st, "shards of %lld rows (more shards are smaller)",
                            (long long)s->rows)
             : st;
}

static few_status make_worker(struct few_shards *s, struct few_shard_worker *w) {
  const struct few_setup *setup = s->o.networks.setup;
  const int64_t item = setup->spec.h * setup->spec.w * setup->spec.c;
  FEW_TRY(make_executor(s, w));
  FEW_TRY(FEW_NEW(s->ctx, &w->x, s->rows * item));
  FEW_TRY(FEW_NEW(s->ctx, &w->label, s->rows));
  if (setup->config.needs_pairs) FEW_TRY(FEW_NEW(s->ctx, &w->pair, s->rows * item));
  if (few__pairs_drawn(setup)) FEW_TRY(FEW_NEW(s->ctx, &w->guidance, s->rows));
  if (setup->spec.augment) FEW_TRY(FEW_NEW(s->ctx, &w->augment, s->rows * setup->spec.augment));
  if (s->o.profile) FEW_TRY(FEW_NEW(s->ctx, &w->seconds, few__shards_cost(s).instructions));
  for (int k = 0; k < FEW_PHASES; k++) FEW_TRY(make_bindings(s, w, k));
  return FEW_OK;
}

static few_status make_phases(struct few_shards *s) {
  for (int k = 0; k < FEW_PHASES; k++) {
    struct few_phase *p = &s->phase[k];
    if (k == FEW_PHASE_FAKE && !few__has_fake(s->o.networks.setup)) continue;
    FEW_TRY(few__phase_create(s->ctx, p, (enum few_phase_id)k, &s->o.networks, s->rows,
                              s->arrays->backend));
    FEW_TRY(few__reduce_create(&s->reduction[k], s->arrays, p->n_grads * p->n, s->shards,
                               s->n_workers));
  }
  return FEW_OK;
}

static few_status make(struct few_shards *s) {
  FEW_TRY(make_phases(s));
  FEW_TRY(FEW_NEW(s->ctx, &s->worker, s->n_workers));
  for (int i = 0; i < s->n_workers; i++) FEW_TRY(make_worker(s, &s->worker[i]));
  FEW_TRY(FEW_NEW(s->ctx, &s->loss, FEW_MAX_TERMS * s->shards));
  FEW_TRY(FEW_NEW(s->ctx, &s->rows_out, (1 + FEW_MAX_LOGS) * s->rows * s->shards));
  return s->way->open(s);
}

few_status few__shards_create(few_ctx *ctx, few_shards **out, const struct few_shards_opts *opts) {
  const struct few_train_keys *keys = &opts->networks.setup->config.keys;
  *out = NULL;
  struct few_shards *s;
  FEW_TRY(FEW_NEW(ctx, &s, 1));
  s->ctx = ctx;
  s->o = *opts;
  s->arrays = opts->arrays;
  s->way = s->arrays->device ? &few__shard_device : &few__shard_host;
  s->n_workers = s->arrays->device ? 1 : few__workers_count(s->arrays->workers);
  s->shards = keys->shards;
  s->rows = keys->batch / s->shards;
  const few_status st = make(s);
  if (st)
    few__shards_free(s);
  else
    *out = s;
  return st;
}

static void free_worker(const struct few_shards *s, struct few_shard_worker *w) {
  few_ctx *ctx = s->ctx;
  few__executor_free(w->executor);
  few__free(ctx, w->x);
  few__free(ctx, w->pair);
  few__free(ctx, w->guidance);
  few__free(ctx, w->augment);
  few__free(ctx, w->label);
  few__free(ctx, w->seconds);
  for (int k = 0; k < FEW_PHASES; k++) {
    few__free(ctx, w->slots[k]);
    few__free(ctx, w->outs[k]);
  }
}

void few__shards_free(few_shards *s) {
  if (!s) return;
  few_ctx *ctx = s->ctx;
  for (int i = 0; s->worker && i < s->n_workers; i++) free_worker(s, &s->worker[i]);
  s->way->close(s);
  few__free(ctx, s->worker);
  few__free(ctx, s->loss);
  few__free(ctx, s->rows_out);
  for (int k = 0; k < FEW_PHASES; k++) {
    few__reduce_free(s->reduction[k]);
    few__phase_free(ctx, &s->phase[k]);
  }
  few__free(ctx, s);
}

/* ---- an update ---- */

bool few__shard_bind(const few_shards *s, struct few_shard_worker *w) {
  struct few_values *bound = &w->bound[s->now];
  if (bound->param == s->values.param && bound->target == s->values.target) return false;
  few__phase_bind(&s->phase[s->now], &s->o.networks, &s->values, w->slots[s->now]);
  *bound = s->values;
  return true;
}

struct few_replay_key few__shard_key(const few_shards *s, int64_t first) {
  const uint64_t apart = s->now == FEW_PHASE_FAKE ? 0x9e3779b97f4a7c15u : 0;
  return (struct few_replay_key){(uint64_t)s->o.networks.setup->config.keys.seed ^ apart,
                                 (uint64_t)s->update, (uint64_t)first};
}

void few__shards_watch(few_shards *s, const struct few_progress *at, double began) {
  s->watch =
      (struct few_watch){.ctx = s->ctx, .at = *at, .began = began, .asked = began + at->seconds};
  s->watched = true;
}

/* ---- the step ---- */

static void report_step(struct few_shards *s, struct few_step_report *r) {
  const struct few_phase *p = &s->phase[s->now];
  int64_t batch = s->rows * s->shards;
  *r = (struct few_step_report){.n_terms = p->n_terms, .n_logs = p->n_logs, .timed = p->timed};
  for (int i = 0; i < p->n_terms; i++) {
    r->term_name[i] = p->term_name[i];
    r->term[i] = few__sum_tree(s->loss + i * s->shards, s->shards) / (double)s->shards;
    r->loss += p->weight[i] * r->term[i];
  }
  for (int i = 0; i < p->n_logs; i++) {
    const float *rows = s->rows_out + (1 + i) * batch;
    double sum = 0;
    for (int64_t k = 0; k < batch; k++) sum += (double)rows[k];
    r->name[i] = p->log_name[i];
    r->mean[i] = sum / (double)batch;
  }
  for (int64_t k = 0; k < batch && p->n_logs && p->timed; k++) {
    int bucket = (int)((double)s->rows_out[k] / FEW_PI_2 * FEW_TIME_BUCKETS);
    if (bucket < 0 || bucket >= FEW_TIME_BUCKETS) bucket = bucket < 0 ? 0 : FEW_TIME_BUCKETS - 1;
    r->by_time[bucket] += (double)s->rows_out[batch + k];
    r->in_bucket[bucket]++;
  }
}

static void set_scalars(struct few_shards *s, const struct few_clock *at) {
  const struct few_setup *setup = s->o.networks.setup;
  for (int k = 0; k < setup->config.n_objectives; k++) {
    double scalar[FEW_MAX_SCALARS] = {0};
    const struct few_config_objective *o = &setup->config.objective[k];
    if (o->def->schedule) o->def->schedule(scalar, o->opts, at);
    for (int i = 0; i < FEW_MAX_SCALARS; i++) s->scalar[k * FEW_MAX_SCALARS + i] = (float)scalar[i];
  }
}

few_status few__shards_step(few_shards *s, enum few_phase_id phase, const struct few_clock *at,
                            int64_t update, const struct few_values *values,
                            struct few_gradient *grad, struct few_step_report *report) {
  const struct few_phase *p = &s->phase[phase];
  assert(p->plan && update >= 0 && values->param);
  set_scalars(s, at);
  s->now = phase;
  s->steps++;
  s->update = update;
  s->values = *values;
  few__reduce_begin(s->reduction[phase]);
  const few_status st = s->way->update(s);
  s->watched = false;
  FEW_TRY(st);
  float *total = few__reduce_total(s->reduction[phase]);
  few__arrays_scale(s->arrays, total, 1 / (float)s->shards, p->n_grads * p->n);
  *grad = (struct few_gradient){total, p->n_grads, p->base, p->n, {0}};
  memcpy(grad->weight, p->weight, sizeof grad->weight);
  report_step(s, report);
  return FEW_OK;
}

struct few_plan_cost few__shards_cost(const few_shards *s) {
  return few__plan_cost(s->phase[FEW_PHASE_STUDENT].plan);
}

double few__shards_step_flops(const few_shards *s) {
  const struct few_setup *setup = s->o.networks.setup;
  const few_plan *fake = s->phase[FEW_PHASE_FAKE].plan;
  double flops = few__shards_cost(s).flops;
  if (fake) flops += few__plan_cost(fake).flops * (double)setup->config.keys.fake_updates;
  return flops * (double)s->shards;
}

const few_plan *few__shards_plan(const few_shards *s) { return s->phase[FEW_PHASE_STUDENT].plan; }

double few__shards_seconds(const few_shards *s, int i) {
  double sum = 0;
  for (int k = 0; k < s->n_workers; k++) sum += s->worker[k].seconds[i];
  return sum;
}
