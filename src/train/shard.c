/* shard.c - replay the plan of a phase for each shard, add gradients in a fixed tree. */
#include "shard.h"

#include <math.h>

#include "base/watch.h"
#include "engine/plan/executor.h"
#include "reduce.h"
#include "train/optim/clip.h"

enum { MAX_INPUTS = FEW_MAX_OBJECTIVES * FEW_MAX_SCALARS };

struct worker_state { /* what each worker has of its own */
  few_executor *executor;
  few_status status;
  float *x, *pair, *strength;
  int32_t *label;
  double *seconds; /* NULL, or a profile */
  const void **slots[FEW_PHASES];
  void **outs[FEW_PHASES];
  struct few_values bound[FEW_PHASES]; /* the values that the slots point into */
};

/* On a device: rows of whole updates, on the host, and what the shards say, there. The rows of one
 * update may still be on their way when those of the next are filled in: there are two of each. */
struct batch {
  int64_t update; /* that the rows are of; -1: none */
  float *x, *pair, *strength;
  int32_t *label;
};
struct ahead {
  struct batch batch[2]; /* update k in k % 2 */
  float *grad;           /* the gradient of a shard, where the plan writes it */
  float *said, *read;    /* [shards][n_said]: terms, times, logs; there and here */
  int64_t n_said;
};

struct few_shards {
  few_ctx *ctx;
  struct few_shards_opts o;
  const struct few_arrays *arrays;
  int n_states;
  int64_t rows, shards;
  struct few_phase phase[FEW_PHASES]; /* the second without a plan: there is no fake network */
  few_reduction *reduction[FEW_PHASES];
  struct ahead ahead[FEW_PHASES];
  struct worker_state *state;

  struct few_watch watch;
  bool watched; /* the step at hand */

  /* The running update. */
  enum few_phase_id now;
  uint64_t steps; /* calls of few__shards_step: values change between them alone */
  int64_t update;
  struct few_values values;
  float scalar[MAX_INPUTS];
  double *loss;    /* [FEW_MAX_TERMS][shards] */
  float *rows_out; /* [1 + n_logs][batch]: t, logs */
};

/* ---- memory ---- */

static void set_slot(const void **slots, const few_plan *plan, const char *name, const void *at) {
  int i = few__plan_find_slot(plan, name);
  if (i >= 0) slots[i] = at;
}

static few_status make_bindings(struct few_shards *s, struct worker_state *state, int k) {
  const few_plan *plan = s->phase[k].plan;
  char name[16];
  if (!plan) return FEW_OK;
  FEW_TRY(FEW_NEW(s->ctx, &state->slots[k], few__plan_slots(plan) + 1));
  FEW_TRY(FEW_NEW(s->ctx, &state->outs[k], s->phase[k].n_outs));
  set_slot(state->slots[k], plan, "x", state->x);
  set_slot(state->slots[k], plan, "label", state->label);
  set_slot(state->slots[k], plan, "pair", state->pair);
  set_slot(state->slots[k], plan, "pair_strength", state->strength);
  for (int i = 0; i < MAX_INPUTS; i++)
    set_slot(state->slots[k], plan, few__phase_scalar(i, name), &s->scalar[i]);
  return FEW_OK;
}

static few_status make_executor(const struct few_shards *s, struct worker_state *state) {
  const few_plan *plans[FEW_PHASES];
  for (int k = 0; k < FEW_PHASES; k++) plans[k] = s->phase[k].plan;
  const few_status st =
      few__executor_create(s->ctx, &state->executor, FEW_PHASES, plans, s->arrays->queue);
  return st == FEW_E_MEMORY
             ? few__fail_in(s->ctx, st, "shards of %lld rows (more shards are smaller)",
                            (long long)s->rows)
             : st;
}

static few_status make_worker(struct few_shards *s, struct worker_state *state) {
  const struct few_setup *setup = s->o.networks.setup;
  const int64_t item = setup->spec.h * setup->spec.w * setup->spec.c;
  FEW_TRY(make_executor(s, state));
  FEW_TRY(FEW_NEW(s->ctx, &state->x, s->rows * item));
  FEW_TRY(FEW_NEW(s->ctx, &state->label, s->rows));
  if (setup->config.needs_pairs) FEW_TRY(FEW_NEW(s->ctx, &state->pair, s->rows * item));
  if (few__pairs_drawn(setup)) FEW_TRY(FEW_NEW(s->ctx, &state->strength, s->rows));
  if (s->o.profile) FEW_TRY(FEW_NEW(s->ctx, &state->seconds, few__shards_cost(s).instructions));
  for (int k = 0; k < FEW_PHASES; k++) FEW_TRY(make_bindings(s, state, k));
  return FEW_OK;
}

static few_status make_phases(struct few_shards *s) {
  for (int k = 0; k < FEW_PHASES; k++) {
    struct few_phase *p = &s->phase[k];
    if (k == FEW_PHASE_FAKE && !few__has_fake(s->o.networks.setup)) continue;
    FEW_TRY(few__phase_create(s->ctx, p, (enum few_phase_id)k, &s->o.networks, s->rows,
                              s->arrays->backend));
    FEW_TRY(
        few__reduce_create(&s->reduction[k], s->arrays, p->n_grads * p->n, s->shards, s->n_states));
  }
  return FEW_OK;
}

static few_status host_room(const struct few_shards *s, int64_t bytes, void *out_ptr) {
  void *at = s->arrays->device->alloc_host(s->arrays->queue, (size_t)bytes);
  memcpy(out_ptr, &at, sizeof at);
  return at ? FEW_OK
            : few__fail(s->ctx, FEW_E_MEMORY, "out of memory: %.0f MiB for the rows of a batch",
                        (double)bytes / 1048576);
}

static few_status make_ahead(struct few_shards *s, enum few_phase_id k) {
  const struct few_setup *setup = s->o.networks.setup;
  const int64_t batch = s->rows * s->shards, item = setup->spec.h * setup->spec.w * setup->spec.c;
  const struct few_phase *p = &s->phase[k];
  struct ahead *a = &s->ahead[k];
  few_device_plan *device_plan = few__executor_device_plan(s->state[0].executor, (int)k);
  for (int i = 0; i < 2; i++) {
    struct batch *b = &a->batch[i];
    b->update = -1;
    FEW_TRY(host_room(s, batch * item * (int64_t)sizeof *b->x, &b->x));
    FEW_TRY(host_room(s, batch * (int64_t)sizeof *b->label, &b->label));
    if (setup->config.needs_pairs)
      FEW_TRY(host_room(s, batch * item * (int64_t)sizeof *b->pair, &b->pair));
    if (few__pairs_drawn(setup))
      FEW_TRY(host_room(s, batch * (int64_t)sizeof *b->strength, &b->strength));
  }
  a->n_said = p->n_terms + (1 + p->n_logs) * s->rows;
  FEW_TRY(FEW_NEW(s->ctx, &a->read, s->shards * a->n_said));
  FEW_TRY(few__arrays_new(s->arrays, &a->said, s->shards * a->n_said));
  FEW_TRY(few__arrays_new(s->arrays, &a->grad, p->n_grads * p->n));
  for (int i = p->first_grad; i < p->n_outs; i++)
    FEW_TRY(few__device_plan_keep_out(device_plan, i, a->grad + p->offset[i - p->first_grad]));
  return FEW_OK;
}

static few_status make(struct few_shards *s) {
  FEW_TRY(make_phases(s));
  FEW_TRY(FEW_NEW(s->ctx, &s->state, s->n_states));
  for (int w = 0; w < s->n_states; w++) FEW_TRY(make_worker(s, &s->state[w]));
  for (int k = 0; k < FEW_PHASES; k++)
    if (s->arrays->device && s->phase[k].plan) FEW_TRY(make_ahead(s, (enum few_phase_id)k));
  FEW_TRY(FEW_NEW(s->ctx, &s->loss, FEW_MAX_TERMS * s->shards));
  return FEW_NEW(s->ctx, &s->rows_out, (1 + FEW_MAX_LOGS) * s->rows * s->shards);
}

few_status few__shards_create(few_ctx *ctx, few_shards **out, const struct few_shards_opts *opts) {
  const struct few_train_keys *keys = &opts->networks.setup->config.keys;
  *out = NULL;
  struct few_shards *s;
  FEW_TRY(FEW_NEW(ctx, &s, 1));
  s->ctx = ctx;
  s->o = *opts;
  s->arrays = opts->arrays;
  s->n_states = s->arrays->device ? 1 : few__workers_count(s->arrays->workers);
  s->shards = keys->shards;
  s->rows = keys->batch / s->shards;
  const few_status st = make(s);
  if (st)
    few__shards_free(s);
  else
    *out = s;
  return st;
}

static void free_worker(const struct few_shards *s, struct worker_state *state) {
  few_ctx *ctx = s->ctx;
  few__executor_free(state->executor);
  few__free(ctx, state->x);
  few__free(ctx, state->pair);
  few__free(ctx, state->strength);
  few__free(ctx, state->label);
  few__free(ctx, state->seconds);
  for (int k = 0; k < FEW_PHASES; k++) {
    few__free(ctx, state->slots[k]);
    few__free(ctx, state->outs[k]);
  }
}

static void free_ahead(const struct few_shards *s, struct ahead *a) {
  for (int i = 0; i < 2 && s->arrays->device; i++) {
    s->arrays->device->free_host(s->arrays->queue, a->batch[i].x);
    s->arrays->device->free_host(s->arrays->queue, a->batch[i].pair);
    s->arrays->device->free_host(s->arrays->queue, a->batch[i].strength);
    s->arrays->device->free_host(s->arrays->queue, a->batch[i].label);
  }
  few__free(s->ctx, a->read);
  few__arrays_free(s->arrays, a->said);
  few__arrays_free(s->arrays, a->grad);
}

void few__shards_free(few_shards *s) {
  if (!s) return;
  few_ctx *ctx = s->ctx;
  for (int w = 0; s->state && w < s->n_states; w++) free_worker(s, &s->state[w]);
  for (int k = 0; k < FEW_PHASES; k++) free_ahead(s, &s->ahead[k]);
  few__free(ctx, s->state);
  few__free(ctx, s->loss);
  few__free(ctx, s->rows_out);
  for (int k = 0; k < FEW_PHASES; k++) {
    few__reduce_free(s->reduction[k]);
    few__phase_free(ctx, &s->phase[k]);
  }
  few__free(ctx, s);
}

/* ---- an update ---- */

/* Slots are found by name, so only when the values lie elsewhere than before: true then. */
static bool bind_values(const struct few_shards *s, struct worker_state *state) {
  struct few_values *bound = &state->bound[s->now];
  if (bound->param == s->values.param && bound->target == s->values.target) return false;
  few__phase_bind(&s->phase[s->now], &s->o.networks, &s->values, state->slots[s->now]);
  *bound = s->values;
  return true;
}

/* The student's numbers are those of (seed, step); the fake network's are apart from them. */
static struct few_replay_key key_of(const struct few_shards *s, int64_t first) {
  const uint64_t apart = s->now == FEW_PHASE_FAKE ? 0x9e3779b97f4a7c15u : 0;
  return (struct few_replay_key){(uint64_t)s->o.networks.setup->config.keys.seed ^ apart,
                                 (uint64_t)s->update, (uint64_t)first};
}

/* ---- on the host ---- */

static void run_shard(void *user, int64_t shard, int worker) {
  struct few_shards *s = user;
  struct worker_state *state = &s->state[worker];
  const struct few_phase *p = &s->phase[s->now];
  const int64_t batch = s->rows * s->shards, first = shard * s->rows;
  s->o.fill(s->o.user, &(struct few_rows){s->now, s->update, first, s->rows, state->x, state->label,
                                          state->pair, state->strength});
  bind_values(s, state);
  float *grad = few__reduce_take(s->reduction[s->now]), term[FEW_MAX_TERMS] = {0};
  void **outs = state->outs[s->now];
  for (int i = 0; i < p->n_terms; i++) outs[i] = &term[i];
  for (int i = 0; i < 1 + p->n_logs; i++) outs[p->n_terms + i] = s->rows_out + i * batch + first;
  for (int i = p->first_grad; i < p->n_outs; i++) outs[i] = grad + p->offset[i - p->first_grad];
  const struct few_binding b = {
      .slots = state->slots[s->now],
      .outs = outs,
      .key = key_of(s, first),
      .seconds = s->now == FEW_PHASE_STUDENT ? state->seconds : NULL,
      .values = s->steps,
      .watch = s->watched ? &s->watch : NULL,
      .worker = worker,
  };
  const few_status st = few__executor_run(state->executor, (int)s->now, &b);
  if (!state->status) state->status = st;
  for (int i = 0; i < p->n_terms; i++) s->loss[i * s->shards + shard] = (double)term[i];
  few__reduce_add(s->reduction[s->now], shard, grad);
}

static few_status host_step(struct few_shards *s) {
  few__workers_run(s->arrays->workers, s->shards, run_shard, s);
  for (int w = 0; w < s->n_states; w++) FEW_TRY(s->state[w].status);
  return s->watched ? s->watch.status : FEW_OK;
}

void few__shards_watch(few_shards *s, const struct few_progress *at, double began) {
  s->watch =
      (struct few_watch){.ctx = s->ctx, .at = *at, .began = began, .asked = began + at->seconds};
  s->watched = true;
}

/* ---- on a device ---- */

struct filling {
  struct few_shards *s;
  struct batch *batch;
};

static void fill_shard(void *user, int64_t shard, int worker) {
  struct filling *f = user;
  struct few_shards *s = f->s;
  struct batch *a = f->batch;
  const struct few_setup *setup = s->o.networks.setup;
  const int64_t first = shard * s->rows, item = setup->spec.h * setup->spec.w * setup->spec.c;
  FEW_UNUSED(worker);
  s->o.fill(s->o.user, &(struct few_rows){s->now, a->update, first, s->rows, a->x + first * item,
                                          a->label + first, a->pair ? a->pair + first * item : NULL,
                                          a->strength ? a->strength + first : NULL});
}

static struct batch *fill_ahead(struct few_shards *s, int64_t update) {
  struct filling f = {s, &s->ahead[s->now].batch[update % 2]};
  if (f.batch->update == update) return f.batch;
  f.batch->update = update;
  few__workers_run(s->arrays->workers, s->shards, fill_shard, &f);
  return f.batch;
}

static bool within(const void *at, const float *begin, int64_t n) {
  return begin && (uintptr_t)at >= (uintptr_t)begin && (uintptr_t)at < (uintptr_t)(begin + n);
}

/* Values that train are read where they are; others are copied once. */
static few_status keep_values(const struct few_shards *s, struct worker_state *state) {
  const struct few_values *v = &s->values;
  const int64_t n = few__parameters(&s->o.networks);
  const int64_t n_model = s->o.networks.student->params.total;
  few_device_plan *device_plan = few__executor_device_plan(state->executor, (int)s->now);
  const few_plan *plan = s->phase[s->now].plan;
  for (int i = 0; i < few__plan_slots(plan); i++) {
    const void *at = state->slots[s->now][i];
    if (within(at, v->param, n) || within(at, v->target, n_model))
      FEW_TRY(few__device_plan_keep_slot(device_plan, i, at));
  }
  return FEW_OK;
}

static few_status enqueue_shard(struct few_shards *s, struct worker_state *state,
                                const struct batch *batch, int64_t shard) {
  const struct few_phase *p = &s->phase[s->now];
  const struct few_setup *setup = s->o.networks.setup;
  const struct ahead *a = &s->ahead[s->now];
  const int64_t first = shard * s->rows, item = setup->spec.h * setup->spec.w * setup->spec.c;
  few_device_plan *device_plan = few__executor_device_plan(state->executor, (int)s->now);
  const void **slots = state->slots[s->now];
  set_slot(slots, p->plan, "x", batch->x + first * item);
  set_slot(slots, p->plan, "label", batch->label + first);
  if (batch->pair) set_slot(slots, p->plan, "pair", batch->pair + first * item);
  if (batch->strength) set_slot(slots, p->plan, "pair_strength", batch->strength + first);
  FEW_TRY(few__device_plan_enqueue(
      device_plan,
      &(struct few_binding){.slots = slots,
                            .key = key_of(s, first),
                            .seconds = s->now == FEW_PHASE_STUDENT ? state->seconds : NULL,
                            .values = 1}));
  float *said = a->said + shard * a->n_said;
  for (int i = 0; i < p->first_grad; i++) {
    const int64_t n = i < p->n_terms ? 1 : s->rows;
    few__arrays_copy(s->arrays, said, few__device_plan_out(device_plan, i), n);
    said += n;
  }
  float *grad = few__reduce_take(s->reduction[s->now]);
  few__arrays_copy(s->arrays, grad, a->grad, p->n_grads * p->n);
  few__reduce_add(s->reduction[s->now], shard, grad);
  return FEW_OK;
}

static void hear(const struct few_shards *s) {
  const struct few_phase *p = &s->phase[s->now];
  const struct ahead *a = &s->ahead[s->now];
  for (int64_t shard = 0; shard < s->shards; shard++) {
    const float *said = a->read + shard * a->n_said;
    for (int i = 0; i < p->n_terms; i++) s->loss[i * s->shards + shard] = (double)*said++;
    for (int i = 0; i < 1 + p->n_logs; i++, said += s->rows)
      memcpy(s->rows_out + i * s->rows * s->shards + shard * s->rows, said,
             (size_t)s->rows * sizeof *said);
  }
}

static few_status device_step(struct few_shards *s) {
  struct ahead *a = &s->ahead[s->now];
  struct worker_state *state = &s->state[0];
  const struct batch *batch = fill_ahead(s, s->update);
  if (bind_values(s, state)) FEW_TRY(keep_values(s, state));
  for (int64_t shard = 0; shard < s->shards; shard++)
    FEW_TRY(enqueue_shard(s, state, batch, shard));
  fill_ahead(s, s->update + 1); /* the device is busy meanwhile */
  FEW_TRY(few__arrays_get(s->arrays, a->read, a->said, s->shards * a->n_said));
  hear(s);
  return FEW_OK;
}

/* ---- the step ---- */

static void report_step(struct few_shards *s, struct few_step_report *r) {
  const double half_pi = 1.5707963267948966;
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
    int bucket = (int)((double)s->rows_out[k] / half_pi * FEW_TIME_BUCKETS);
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
    if (o->def->schedule) o->def->schedule(o->opts, at, scalar);
    for (int i = 0; i < FEW_MAX_SCALARS; i++) s->scalar[k * FEW_MAX_SCALARS + i] = (float)scalar[i];
  }
}

few_status few__shards_step(few_shards *s, enum few_phase_id phase, const struct few_clock *at,
                            int64_t update, const struct few_values *values,
                            struct few_gradient *grad, struct few_step_report *report) {
  const struct few_phase *p = &s->phase[phase];
  set_scalars(s, at);
  s->now = phase;
  s->steps++;
  s->update = update;
  s->values = *values;
  few__reduce_begin(s->reduction[phase]);
  const few_status st = s->arrays->device ? device_step(s) : host_step(s);
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
  for (int w = 0; w < s->n_states; w++) sum += s->state[w].seconds[i];
  return sum;
}
