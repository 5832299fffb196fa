/* shard.c - build the step's graph, replay it for each shard, add gradients in a fixed tree. */
#include "shard.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>

#include "optim/clip.h"

enum { MAX_LEVELS = 13 }; /* shards <= 4096 */

struct lane { /* what a worker needs */
  void *arena;
  const void **slots;
  void **outs;
  float *x;
  int32_t *label;
  double *seconds;    /* NULL, or a profile */
  const float *bound; /* the values that the slots point into */
};

struct few_shards {
  few_ctx *ctx;
  struct few_shards_opts o;
  int64_t rows, shards, n_student, n;
  few_plan *plan;
  int n_outs, n_logs;
  int64_t *out_offset; /* of outputs that are gradients, in the flat array */
  int first_grad;
  const char *log_name[FEW_MAX_LOGS];
  struct lane *lane;
  int x_slot, label_slot, scalar_slot[FEW_MAX_SCALARS];

  /* The tree. node[level][index] holds a finished partial sum that waits for its sibling. */
  pthread_mutex_t lock;
  float **buffers; /* free ones, a stack; the lowest n_fresh of them have never been used */
  int n_buffers, n_free, n_fresh;
  float **all_buffers;
  float **node[MAX_LEVELS];
  float *total;

  /* The running step. */
  int64_t step;
  const float *values;
  float scalar[FEW_MAX_SCALARS];
  double *loss;    /* [shards] */
  float *rows_out; /* [1 + n_logs][batch]: t, logs */
};

/* ---- the graph ---- */

struct tracing {
  const struct few_shards_opts *o;
};

static few_node trace_student(struct few_loss *l, few_node x, few_node t, few_node label,
                              few_node guidance) {
  const struct tracing *tr = l->user;
  struct few_net_input in = {x, t, label, guidance};
  return few__model_trace(tr->o->student, l->g, "student:", true, &in);
}

static few_node trace_teacher(struct few_loss *l, few_node x, few_node t, few_node label) {
  const struct tracing *tr = l->user;
  struct few_net_input in = {x, t, label, FEW_NONE};
  return few_stop(l->g, few__model_trace(tr->o->recipe->teacher, l->g, "teacher:", false, &in));
}

static void build_loss(struct few_shards *s, struct few_loss *l) {
  static const char *const names[FEW_MAX_SCALARS] = {"scalar0", "scalar1", "scalar2", "scalar3"};
  const struct few_run_recipe *r = s->o.recipe;
  struct few_shape shape = r->spec.points ? FEW_SHAPE(s->rows, r->spec.c)
                                          : FEW_SHAPE(s->rows, r->spec.h, r->spec.w, r->spec.c);
  l->x0 = few_input(l->g, "x", FEW_REAL, shape);
  l->label = r->spec.classes ? few_input(l->g, "label", FEW_INDEX, FEW_SHAPE(s->rows)) : FEW_NONE;
  for (int i = 0; i < r->objective->n_scalars; i++)
    l->scalar[i] = few_input(l->g, names[i], FEW_REAL, FEW_SCALAR);
  r->objective->build(l, r->objective_opts);
}

/* Gradient nodes of all rows of a table, zeros where the loss does not depend on a row. */
static few_status add_params(struct few_shards *s, few_graph *g, const struct few_params *p,
                             const char *prefix, int64_t base, few_node *x) {
  char name[160];
  for (int i = 0; i < p->n; i++) {
    snprintf(name, sizeof name, "%s%s", prefix, p->at[i].name);
    x[i] = few_param(g, name, p->at[i].shape);
    s->out_offset[i] = base + p->at[i].offset;
  }
  return few_graph_status(g);
}

static few_status plan_step(struct few_shards *s, few_graph *g, const struct few_loss *l) {
  const struct few_params *student = &s->o.student->params, *head = s->o.head;
  int n = student->n + head->n, first = 2 + l->n_logs;
  few_node *out = NULL, *x = NULL;
  few_status st;
  s->n_student = student->total;
  s->n = student->total + head->total;
  s->n_outs = first + n;
  s->first_grad = first;
  FEW_GOTO(FEW_NEW(s->ctx, &out, s->n_outs));
  FEW_GOTO(FEW_NEW(s->ctx, &x, n));
  FEW_GOTO(FEW_NEW(s->ctx, &s->out_offset, n));
  FEW_GOTO(add_params(s, g, student, "student:", 0, x));
  int64_t *offsets = s->out_offset;
  s->out_offset += student->n;
  st = add_params(s, g, head, "head:", student->total, x + student->n);
  s->out_offset = offsets;
  if (st) goto out;
  out[0] = l->loss;
  out[1] = l->t;
  s->n_logs = l->n_logs;
  for (int i = 0; i < l->n_logs; i++) {
    out[2 + i] = l->log[i].rows;
    s->log_name[i] = l->log[i].name;
  }
  FEW_GOTO(few_grad(g, l->loss, n, x, out + first));
  for (int i = 0; i < n; i++)
    if (out[first + i] == FEW_NONE) out[first + i] = few_fill(g, 0, few_node_shape(g, x[i]));
  struct few_plan_opts po = {
      .backend = s->o.backend, .real = FEW_F32, .direct = s->o.recipe->keys.convolution};
  FEW_GOTO(few__plan_create(s->ctx, &s->plan, g, &po, s->n_outs, out));
out:
  few__free(s->ctx, out);
  few__free(s->ctx, x);
  return st;
}

static few_status trace(struct few_shards *s) {
  few_graph *g;
  FEW_TRY(few_graph_create(s->ctx, &g));
  struct few_nn head = {.g = g, .params = s->o.head, .prefix = "head:"};
  struct tracing tr = {&s->o};
  struct few_loss l = {.g = g,
                       .rows = s->rows,
                       .spec = &s->o.recipe->spec,
                       .student = trace_student,
                       .teacher = trace_teacher,
                       .head = &head,
                       .user = &tr};
  build_loss(s, &l);
  few_status st = few_graph_status(g);
  if (!st) st = plan_step(s, g, &l);
  few_graph_free(g);
  return st;
}

/* ---- memory ---- */

static few_status make_lane(struct few_shards *s, struct lane *lane) {
  int64_t item = s->o.recipe->spec.h * s->o.recipe->spec.w * s->o.recipe->spec.c;
  lane->arena = few__alloc(s->ctx, few__plan_arena(s->plan) + 64);
  if (!lane->arena)
    return few__fail(s->ctx, FEW_E_MEMORY,
                     "out of memory: a worker needs %.0f MiB for a shard of %lld rows: take more "
                     "shards or fewer workers",
                     (double)few__plan_arena(s->plan) / 1048576, (long long)s->rows);
  FEW_TRY(FEW_NEW(s->ctx, &lane->slots, few__plan_slots(s->plan) + 1));
  FEW_TRY(FEW_NEW(s->ctx, &lane->outs, s->n_outs));
  FEW_TRY(FEW_NEW(s->ctx, &lane->x, s->rows * item));
  FEW_TRY(FEW_NEW(s->ctx, &lane->label, s->rows));
  if (s->o.profile) FEW_TRY(FEW_NEW(s->ctx, &lane->seconds, few__plan_cost(s->plan).instructions));
  if (s->o.recipe->teacher)
    few__model_bind(s->o.recipe->teacher, s->plan, "teacher:", s->o.recipe->teacher->values,
                    lane->slots);
  if (s->x_slot >= 0) lane->slots[s->x_slot] = lane->x;
  if (s->label_slot >= 0) lane->slots[s->label_slot] = lane->label;
  for (int i = 0; i < FEW_MAX_SCALARS; i++)
    if (s->scalar_slot[i] >= 0) lane->slots[s->scalar_slot[i]] = &s->scalar[i];
  return FEW_OK;
}

/* Partial sums that can wait at once: each of the workers' shards, and the boundary of those not
 * begun, keeps at most one sibling a level waiting. */
static few_status make_tree(struct few_shards *s) {
  int levels = 0, workers = few__workers_count(s->o.workers);
  while (((int64_t)1 << levels) < s->shards) levels++;
  int64_t n = (int64_t)(workers + 1) * levels + workers;
  if (n > s->shards + workers) n = s->shards + workers;
  FEW_TRY(FEW_NEW(s->ctx, &s->buffers, n));
  FEW_TRY(FEW_NEW(s->ctx, &s->all_buffers, n));
  for (; s->n_buffers < n; s->n_buffers++) {
    float *b = few__alloc(s->ctx, few__mul_size((size_t)s->n, sizeof *b));
    if (!b)
      return few__fail(s->ctx, FEW_E_MEMORY, "out of memory for gradients of %lld parameters",
                       (long long)s->n);
    s->all_buffers[s->n_buffers] = s->buffers[s->n_free++] = b;
  }
  s->n_fresh = s->n_free;
  for (int l = 0; l <= levels; l++) FEW_TRY(FEW_NEW(s->ctx, &s->node[l], s->shards));
  return FEW_OK;
}

few_status few__shards_create(few_ctx *ctx, few_shards **out, const struct few_shards_opts *opts) {
  static const char *const names[FEW_MAX_SCALARS] = {"scalar0", "scalar1", "scalar2", "scalar3"};
  *out = NULL;
  struct few_shards *s;
  FEW_TRY(FEW_NEW(ctx, &s, 1));
  s->ctx = ctx;
  s->o = *opts;
  s->shards = opts->recipe->keys.shards;
  s->rows = opts->recipe->keys.batch / s->shards;
  pthread_mutex_init(&s->lock, NULL);
  few_status st;
  FEW_GOTO(trace(s));
  s->x_slot = few__plan_find_slot(s->plan, "x");
  s->label_slot = few__plan_find_slot(s->plan, "label");
  for (int i = 0; i < FEW_MAX_SCALARS; i++)
    s->scalar_slot[i] = few__plan_find_slot(s->plan, names[i]);
  FEW_GOTO(FEW_NEW(ctx, &s->lane, few__workers_count(opts->workers)));
  for (int w = 0; w < few__workers_count(opts->workers); w++) FEW_GOTO(make_lane(s, &s->lane[w]));
  FEW_GOTO(make_tree(s));
  FEW_GOTO(FEW_NEW(ctx, &s->loss, s->shards));
  FEW_GOTO(FEW_NEW(ctx, &s->rows_out, (1 + s->n_logs) * s->rows * s->shards));
out:
  if (st) {
    few__shards_free(s);
    return st;
  }
  *out = s;
  return FEW_OK;
}

void few__shards_free(few_shards *s) {
  if (!s) return;
  few_ctx *ctx = s->ctx;
  for (int w = 0; s->lane && w < few__workers_count(s->o.workers); w++) {
    few__free(ctx, s->lane[w].arena);
    few__free(ctx, s->lane[w].slots);
    few__free(ctx, s->lane[w].outs);
    few__free(ctx, s->lane[w].x);
    few__free(ctx, s->lane[w].label);
    few__free(ctx, s->lane[w].seconds);
  }
  for (int i = 0; i < s->n_buffers; i++) few__free(ctx, s->all_buffers[i]);
  for (int l = 0; l < MAX_LEVELS; l++) few__free(ctx, s->node[l]);
  few__free(ctx, s->lane);
  few__free(ctx, s->buffers);
  few__free(ctx, s->all_buffers);
  few__free(ctx, s->out_offset);
  few__free(ctx, s->loss);
  few__free(ctx, s->rows_out);
  few__plan_free(s->plan);
  pthread_mutex_destroy(&s->lock);
  few__free(ctx, s);
}

/* ---- a step ---- */

/* Far fewer than the worst case are used as a rule, so memory is first touched here. Zeros, for the
 * gaps between gradients. */
static float *take_buffer(struct few_shards *s) {
  pthread_mutex_lock(&s->lock);
  assert(s->n_free > 0);
  bool fresh = s->n_free-- == s->n_fresh;
  float *b = s->buffers[s->n_free];
  s->n_fresh -= fresh;
  pthread_mutex_unlock(&s->lock);
  if (fresh) memset(b, 0, (size_t)s->n * sizeof *b);
  return b;
}

/* Put a finished sum into the tree: while its sibling waits, add the right one to the left one and
 * go on with the parent. A node without a sibling passes upwards as it is. */
static void climb(struct few_shards *s, int64_t index, float *sum) {
  int64_t width = s->shards;
  for (int level = 0; width > 1; level++, index /= 2, width = (width + 1) / 2) {
    int64_t sibling = index ^ 1;
    if (sibling >= width) continue;
    pthread_mutex_lock(&s->lock);
    float *other = s->node[level][sibling];
    s->node[level][sibling] = NULL;
    if (!other) s->node[level][index] = sum;
    pthread_mutex_unlock(&s->lock);
    if (!other) return;
    float *left = index < sibling ? sum : other, *right = index < sibling ? other : sum;
    for (int64_t i = 0; i < s->n; i++) left[i] += right[i];
    pthread_mutex_lock(&s->lock);
    s->buffers[s->n_free++] = right;
    pthread_mutex_unlock(&s->lock);
    sum = left;
  }
  s->total = sum;
}

/* Slots are found by name, so only when the values lie elsewhere than in the step before. */
static void bind_values(const struct few_shards *s, struct lane *lane) {
  few__model_bind(s->o.student, s->plan, "student:", s->values, lane->slots);
  const struct few_params *head = s->o.head;
  for (int i = 0; i < head->n; i++) {
    char name[160];
    snprintf(name, sizeof name, "head:%s", head->at[i].name);
    int slot = few__plan_find_slot(s->plan, name);
    if (slot >= 0) lane->slots[slot] = s->values + s->n_student + head->at[i].offset;
  }
  lane->bound = s->values;
}

static void run_shard(void *user, int64_t shard, int worker) {
  struct few_shards *s = user;
  struct lane *lane = &s->lane[worker];
  const struct few_train_keys *k = &s->o.recipe->keys;
  int64_t batch = s->rows * s->shards, first = shard * s->rows;
  s->o.fill(s->o.user, s->step, first, s->rows, lane->x, lane->label);
  if (lane->bound != s->values) bind_values(s, lane);
  float *grad = take_buffer(s), loss = NAN; /* the replay writes it, through outs */
  lane->outs[0] = &loss;
  for (int i = 0; i < 1 + s->n_logs; i++) lane->outs[1 + i] = s->rows_out + i * batch + first;
  for (int i = s->first_grad; i < s->n_outs; i++)
    lane->outs[i] = grad + s->out_offset[i - s->first_grad];
  struct few_binding b = {lane->slots,
                          lane->outs,
                          {(uint64_t)k->seed, (uint64_t)s->step, (uint64_t)first},
                          lane->seconds};
  few__plan_replay(s->plan, lane->arena, &b);
  s->loss[shard] = (double)loss;
  climb(s, shard, grad);
}

static void report_step(struct few_shards *s, struct few_step_report *r) {
  const double half_pi = 1.5707963267948966;
  int64_t batch = s->rows * s->shards;
  *r = (struct few_step_report){.n_logs = s->n_logs};
  r->loss = few__sum_tree(s->loss, s->shards) / (double)s->shards;
  for (int i = 0; i < s->n_logs; i++) {
    const float *rows = s->rows_out + (1 + i) * batch;
    double sum = 0;
    for (int64_t k = 0; k < batch; k++) sum += (double)rows[k];
    r->name[i] = s->log_name[i];
    r->mean[i] = sum / (double)batch;
  }
  for (int64_t k = 0; k < batch && s->n_logs; k++) {
    int bucket = (int)((double)s->rows_out[k] / half_pi * FEW_TIME_BUCKETS);
    if (bucket < 0 || bucket >= FEW_TIME_BUCKETS) bucket = bucket < 0 ? 0 : FEW_TIME_BUCKETS - 1;
    r->by_time[bucket] += (double)s->rows_out[batch + k];
    r->in_bucket[bucket]++;
  }
}

few_status few__shards_step(few_shards *s, int64_t step, double stretch, const float *values,
                            float **grad, struct few_step_report *report) {
  const struct few_run_recipe *r = s->o.recipe;
  double scalar[FEW_MAX_SCALARS] = {0};
  if (r->objective->schedule) r->objective->schedule(r->objective_opts, step, stretch, scalar);
  for (int i = 0; i < FEW_MAX_SCALARS; i++) s->scalar[i] = (float)scalar[i];
  if (s->total) s->buffers[s->n_free++] = s->total;
  s->total = NULL;
  s->step = step;
  s->values = values;
  few__workers_run(s->o.workers, s->shards, run_shard, s);
  float scale = 1 / (float)s->shards;
  for (int64_t i = 0; i < s->n; i++) s->total[i] *= scale;
  *grad = s->total;
  report_step(s, report);
  return FEW_OK;
}

struct few_plan_cost few__shards_cost(const few_shards *s) {
  return few__plan_cost(s->plan);
}
const few_plan *few__shards_plan(const few_shards *s) { return s->plan; }

double few__shards_seconds(const few_shards *s, int i) {
  double sum = 0;
  for (int w = 0; w < few__workers_count(s->o.workers); w++) sum += s->lane[w].seconds[i];
  return sum;
}
