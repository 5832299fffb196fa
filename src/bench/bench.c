/* bench.c - times whole steps.
 *
 * The case `train` runs the step of the trainer (shards, reduction, Adam, averages) on random data.
 * The cases infer and jvp run the network over the same shards.
 */
#include "few/bench.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "base/rng.h"
#include "engine/backend/backend.h"
#include "engine/plan/executor.h"
#include "few/model.h"
#include "train/shard.h"
#include "train/update.h"

enum { MAX_REPEATS = 1000, WARM_UP = 2 };

static const char *const names[FEW_BENCH_CASES] = {"infer", "train", "jvp", "scd", "sct"};

struct bench {
  few_ctx *ctx;
  const struct few_bench_opts *o;
  enum few_bench_case which;
  few_workers *workers;
  struct few_setup setup;
  few_model *model;
  /* training cases */
  struct few_params head, fake_head;
  few_shards *shards;
  struct few_run_state state;
  struct few_arrays arrays;
  /* infer and jvp */
  few_plan *plan;
  int executors;           /* one per worker; one on a device */
  few_executor **executor; /* [executors] */
  few_status status;
  const void **slots; /* every shard reads the same random rows */
  float **slot_data;
  float **out;      /* [executors][2] */
  double **seconds; /* [executors]: seconds of each instruction; NULL without a profile */
  double *warm;     /* seconds of each instruction in the warm-up */
};

static void fill(void *user, const struct few_rows *rows) {
  const struct bench *b = user;
  int64_t item = b->o->h * b->o->w * b->o->c;
  for (int64_t r = 0; r < rows->rows; r++) {
    for (int64_t i = 0; i < item; i++) /* the values do not matter */
      rows->x[r * item + i] =
          0.5f * (float)((i * 7 + r * 13 + rows->first + rows->update) % 17 - 8) / 8;
    rows->label[r] = -1;
  }
}

static few_status make_model(struct bench *b, few_model **out, uint64_t seed) {
  return few__model_create(b->ctx, out, b->setup.net, b->setup.net_opts, &b->setup.spec, seed);
}

static few_status make_recipe(struct bench *b) {
  static const char *const objectives[] = {NULL, "diffusion", NULL, "scd", "sct"};
  struct few_setup *setup = &b->setup;
  few_ctx *ctx = b->ctx;
  setup->net = few__net_find(ctx, b->o->net);
  if (!setup->net)
    return few__fail(ctx, FEW_E_INVALID, "there is no network %s: see `few list nets`", b->o->net);
  FEW_TRY(few__new(ctx, &setup->net_opts, 1, setup->net->options_size));
  FEW_TRY(few_options_default(setup->net_opts, ctx, setup->net->options));
  for (int i = 0; i < b->o->n_settings; i++) {
    char key[64];
    const char *eq = strchr(b->o->settings[i], '=');
    if (!eq || eq - b->o->settings[i] >= (int)sizeof key)
      return few__fail(ctx, FEW_E_INVALID, "`%s`: settings are key=value", b->o->settings[i]);
    snprintf(key, sizeof key, "%.*s", (int)(eq - b->o->settings[i]), b->o->settings[i]);
    FEW_TRY(few_option_set(setup->net_opts, ctx, setup->net->options, key, eq + 1));
  }
  setup->spec = (struct few_net_spec){
      .h = b->o->h, .w = b->o->w, .c = b->o->c, .points = b->o->h == 1, .sigma_data = 0.5};
  FEW_TRY(few_options_default(&setup->config.keys, ctx, few__train_options()));
  setup->config.keys.batch = b->o->batch;
  setup->config.keys.shards = b->o->shards;
  setup->config.keys.precision = b->o->precision;
  setup->config.keys.ema = 1e5;
  FEW_TRY(few__optim_find(ctx, &setup->config.optim, "adam"));
  setup->config.optim_opts = (struct few_optim_opts)FEW_OPTIM_OPTS_INIT;
  if (b->o->shards < 1 || b->o->batch < 1 || b->o->batch % b->o->shards)
    return few__fail(ctx, FEW_E_INVALID, "batch %lld is not a multiple of %lld shards",
                     (long long)b->o->batch, (long long)b->o->shards);
  if (!objectives[b->which]) return FEW_OK;
  snprintf(setup->config.keys.objective, sizeof setup->config.keys.objective, "%s",
           objectives[b->which]);
  snprintf(setup->config.keys.teacher, sizeof setup->config.keys.teacher, "random");
  FEW_TRY(few__config_objectives(ctx, &setup->config));
  if (setup->config.needs_teacher) FEW_TRY(make_model(b, &setup->teacher, 2));
  return few__setup_fit(ctx, setup);
}

static few_status set_up_training(struct bench *b, const struct few_backend *backend) {
  assert(b->model && b->workers && !b->shards);
  FEW_TRY(few__arrays_open(b->ctx, &b->arrays, b->workers, backend));
  struct few_shards_opts so = {.networks = {&b->setup, b->model, &b->head, &b->fake_head},
                               .fill = fill,
                               .user = b,
                               .arrays = &b->arrays,
                               .profile = b->o->profile != NULL};
  FEW_TRY(few__shards_create(b->ctx, &b->shards, &so));
  const struct few_state_shape shape = {.n_model = b->model->params.total,
                                        .n = few__parameters(&so.networks),
                                        .n_moments = 2,
                                        .ema = true};
  FEW_TRY(few__state_create(&b->state, &shape, &b->arrays));
  memcpy(b->state.here.param, b->model->values, (size_t)b->model->params.total * sizeof(float));
  few__state_put(&b->state);
  return FEW_OK;
}

static few_status plan_network(struct bench *b, const struct few_backend *backend, few_graph *g) {
  int64_t rows = b->o->batch / b->o->shards;
  assert(rows >= 1 && b->model);
  const struct few_net_spec *s = &b->setup.spec;
  struct few_shape shape = s->points ? FEW_SHAPE(rows, s->c) : FEW_SHAPE(rows, s->h, s->w, s->c);
  few_node in[2] = {few_input(g, "x", FEW_REAL, shape),
                    few_input(g, "t", FEW_REAL, FEW_SHAPE(rows))};
  few_node d[2] = {few_input(g, "dx", FEW_REAL, shape),
                   few_input(g, "dt", FEW_REAL, FEW_SHAPE(rows))};
  few_node out[2] = {0};
  const struct few_net_input net_in = few_net_input_of(in[0], in[1], FEW_NONE);
  out[0] = few__model_trace(b->model, g, "", false, &net_in);
  if (b->which == FEW_BENCH_JVP) { /* the tangent first: few__plan_create */
    out[1] = out[0];
    FEW_TRY(few_jvp(out, g, 1, out + 1, 2, in, d));
  }
  struct few_planning_opts po = {.backend = backend, .real = FEW_F32, .precision = b->o->precision};
  return few__plan_create(b->ctx, &b->plan, g, &po, b->which == FEW_BENCH_JVP ? 2 : 1, out);
}

static few_status set_up_network(struct bench *b, const struct few_backend *backend) {
  few_graph *g;
  FEW_TRY(few_graph_create(&g, b->ctx));
  few_status st = plan_network(b, backend, g);
  few_graph_free(g);
  FEW_TRY(st);
  const int slots = few__plan_slots(b->plan);
  b->executors = backend->device ? 1 : few__workers_count(b->workers);
  int64_t item = b->o->h * b->o->w * b->o->c, rows = b->o->batch / b->o->shards;
  FEW_TRY(FEW_NEW(b->ctx, &b->executor, b->executors));
  FEW_TRY(FEW_NEW(b->ctx, &b->out, 2 * b->executors));
  FEW_TRY(FEW_NEW(b->ctx, &b->seconds, b->executors));
  FEW_TRY(FEW_NEW(b->ctx, &b->slots, slots));
  FEW_TRY(FEW_NEW(b->ctx, &b->slot_data, slots));
  for (int i = 0; i < slots; i++) {
    const struct few_slot *s = few__plan_slot(b->plan, i);
    if (s->param) continue;
    int64_t n = few_shape_count(s->shape);
    FEW_TRY(FEW_NEW(b->ctx, &b->slot_data[i], n));
    struct few_rng r = {.row = (uint64_t)i, .purpose = FEW_RNG_CHECK};
    few__rng_uniform_f32(&r, n, b->slot_data[i]);
    b->slots[i] = b->slot_data[i];
  }
  few__model_bind(b->model, b->plan, "", b->model->values, b->slots);
  for (int w = 0; w < b->executors; w++) {
    FEW_TRY(few__executor_create(b->ctx, &b->executor[w], 1, (const few_plan *[]){b->plan}, NULL));
    FEW_TRY(FEW_NEW(b->ctx, &b->out[2 * w], rows * item));
    FEW_TRY(FEW_NEW(b->ctx, &b->out[2 * w + 1], rows * item));
    if (b->o->profile)
      FEW_TRY(FEW_NEW(b->ctx, &b->seconds[w], few__plan_cost(b->plan).instructions));
  }
  return FEW_OK;
}

static void run_shard(void *user, int64_t shard, int worker) {
  struct bench *b = user;
  struct few_binding bind = {.slots = b->slots,
                             .outs = (void *const *)(b->out + 2 * worker),
                             .key = {.row0 = (uint64_t)shard},
                             .seconds = b->seconds[worker],
                             .values = 1};
  const few_status st = few__executor_run(b->executor[worker], 0, &bind);
  if (st) b->status = st; /* only a device can fail here, and it has one executor */
}

static few_status one_step(struct bench *b) {
  if (b->plan) {
    if (b->executors > 1)
      few__workers_run(b->workers, b->o->shards, run_shard, b);
    else
      for (int64_t i = 0; i < b->o->shards; i++) run_shard(b, i, 0);
    return b->status;
  }
  struct few_gradient grad;
  double squares;
  struct few_step_report report;
  const struct few_clock at = few__config_clock(&b->setup.config, b->state.step, 1);
  const struct few_values v = {.param = b->state.there.param};
  FEW_TRY(few__shards_step(b->shards, FEW_PHASE_STUDENT, &at, b->state.step, &v, &grad, &report));
  FEW_TRY(few__arrays_sumsq(&b->arrays, grad.n, grad.at, &squares));
  b->state.step++;
  few__update(&b->state, &b->setup.config, &grad, sqrt(squares), 1e-5);
  few__follow(&b->state, &b->setup.config);
  return FEW_OK;
}

static few_status check(few_ctx *ctx, const struct few_bench_opts *o, enum few_bench_case which) {
  enum { SIDE_MAX = 1 << 20 };
  FEW_TRY(few__opts_check(ctx, "few_bench_opts", o, FEW_BENCH_OPTS_VERSION));
  if (!o->net) return few__fail(ctx, FEW_E_INVALID, "bench: no network is given: set `net`");
  FEW_TRY(few__opts_texts(ctx, "settings", o->n_settings, o->settings));
  FEW_TRY(few__opts_range(ctx, "bench: case", (double)which, 0, FEW_BENCH_CASES - 1));
  FEW_TRY(few__opts_range(ctx, "bench: height", (double)o->h, 1, SIDE_MAX));
  FEW_TRY(few__opts_range(ctx, "bench: width", (double)o->w, 1, SIDE_MAX));
  FEW_TRY(few__opts_range(ctx, "bench: channels", (double)o->c, 1, SIDE_MAX));
  FEW_TRY(few__opts_range(ctx, "bench: batch", (double)o->batch, 1, INT32_MAX));
  FEW_TRY(few__opts_range(ctx, "bench: shards", (double)o->shards, 1, INT32_MAX));
  FEW_TRY(few__opts_range(ctx, "bench: workers", o->workers, 0, INT32_MAX));
  FEW_TRY(few__opts_range(ctx, "bench: precision", (double)o->precision, 0, FEW_BF16));
  return few__opts_range(ctx, "bench: seconds", o->seconds, 0, 1e9);
}

static few_status set_up(struct bench *b) {
  const struct few_backend *backend;
  FEW_TRY(few__backend_choose(b->ctx, &backend, b->o->backend ? b->o->backend : "cpu"));
  FEW_TRY(few__backend_check_precision(b->ctx, backend, b->o->precision));
  int workers = b->o->workers > 0 ? b->o->workers : few_ctx_workers(b->ctx);
  FEW_TRY(few__workers_create(b->ctx, &b->workers, workers));
  FEW_TRY(make_recipe(b));
  FEW_TRY(make_model(b, &b->model, 1));
  return b->setup.config.n_objectives ? set_up_training(b, backend) : set_up_network(b, backend);
}

static void tear_down(struct bench *b) {
  few_ctx *ctx = b->ctx;
  for (int i = 0; b->slot_data && i < few__plan_slots(b->plan); i++)
    few__free(ctx, b->slot_data[i]);
  for (int w = 0; b->executor && w < b->executors; w++) few__executor_free(b->executor[w]);
  for (int w = 0; b->out && w < 2 * b->executors; w++) few__free(ctx, b->out[w]);
  for (int w = 0; b->seconds && w < b->executors; w++) few__free(ctx, b->seconds[w]);
  few__free(ctx, b->seconds);
  few__free(ctx, b->warm);
  few__free(ctx, b->slot_data);
  few__free(ctx, b->slots);
  few__free(ctx, b->executor);
  few__free(ctx, b->out);
  few__plan_free(b->plan);
  few__shards_free(b->shards);
  few__state_free(&b->state);
  few__arrays_close(&b->arrays);
  few__params_free(ctx, &b->head);
  few__params_free(ctx, &b->fake_head);
  few_model_free(b->model);
  few__setup_close(ctx, &b->setup);
  few__workers_free(b->workers);
}

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static const few_plan *plan_of(const struct bench *b) {
  return b->plan ? b->plan : few__shards_plan(b->shards);
}

static double seconds_of(const struct bench *b, int instruction) {
  if (!b->plan) return few__shards_seconds(b->shards, instruction);
  double sum = 0;
  for (int w = 0; w < b->executors; w++) sum += b->seconds[w][instruction];
  return sum;
}

struct profile {
  struct few_plan_kernel kernel;
  int calls;
  double seconds;
};

static int most_time_first(const void *a, const void *b) {
  const struct profile *x = a, *y = b;
  return x->seconds < y->seconds ? 1 : x->seconds > y->seconds ? -1 : 0;
}

/* Reports the kernels to the caller, longest time first. Kernels with the same text are merged. */
static few_status report_profile(const struct bench *b, int steps) {
  const few_plan *plan = plan_of(b);
  int count = few__plan_cost(plan).instructions, n = 0;
  struct profile *p;
  FEW_TRY(FEW_NEW(b->ctx, &p, count));
  assert(b->warm && steps > 0);
  for (int i = 0; i < count; i++) {
    struct few_plan_kernel k = few__plan_kernel(plan, i);
    int at = 0;
    while (at < n && strcmp(p[at].kernel.text, k.text)) at++;
    if (at == n) p[n++].kernel = k;
    p[at].calls++;
    p[at].seconds += (seconds_of(b, i) - b->warm[i]) / steps;
  }
  qsort(p, (size_t)n, sizeof *p, most_time_first);
  for (int i = 0; i < n; i++) {
    double times = p[i].calls * (double)b->o->shards;
    b->o->profile(b->o->user,
                  &(struct few_bench_kernel){p[i].kernel.name, p[i].kernel.text, p[i].calls,
                                             p[i].seconds, p[i].kernel.flops * times / 1e9,
                                             p[i].kernel.bytes * times / 1e9});
  }
  few__free(b->ctx, p);
  return FEW_OK;
}

static few_status warm_up(struct bench *b) {
  int n = few__plan_cost(plan_of(b)).instructions;
  for (int i = 0; i < WARM_UP; i++) FEW_TRY(one_step(b));
  if (!b->o->profile) return FEW_OK;
  FEW_TRY(FEW_NEW(b->ctx, &b->warm, n));
  for (int i = 0; i < n; i++) b->warm[i] = seconds_of(b, i);
  return FEW_OK;
}

static long page_faults(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return u.ru_minflt + u.ru_majflt;
}

static few_status measure(struct bench *b, struct few_bench_result *out) {
  double seconds[MAX_REPEATS], total = 0;
  int n = 0;
  FEW_TRY(warm_up(b));
  const long faults = page_faults();
  while (n < MAX_REPEATS && (total < b->o->seconds || n < 3)) {
    double start = few__now();
    FEW_TRY(one_step(b));
    seconds[n] = few__now() - start;
    total += seconds[n++];
  }
  out->page_faults = (double)(page_faults() - faults) / n;
  assert(n >= 3);
  qsort(seconds, (size_t)n, sizeof *seconds, ascending);
  out->seconds = seconds[n / 2];
  out->fastest = seconds[0];
  out->repeats = n;
  return FEW_OK;
}

const char *few_cpu_isa(void) { return few__backend_cpu_set(); }

few_status few_bench(struct few_bench_result *out, few_ctx *ctx, const struct few_bench_opts *opts,
                     enum few_bench_case which, double peak) {
  struct bench b = {.ctx = ctx, .o = opts, .which = which};
  *out = (struct few_bench_result){0};
  FEW_TRY(check(ctx, opts, which));
  assert((int)which < FEW_COUNT(names)); /* check() has refused other values */
  few_status st = set_up(&b);
  if (!st) st = measure(&b, out);
  if (!st) {
    struct few_plan_cost cost = few__plan_cost(plan_of(&b));
    out->name = names[which];
    out->images_per_second = (double)opts->batch / out->seconds;
    out->gflop = cost.flops * (double)opts->shards / 1e9;
    out->gflops_per_second = out->gflop / out->seconds;
    out->share_of_peak = peak > 0 ? out->gflops_per_second / peak : 0;
    out->arena_bytes =
        cost.arena_bytes * (size_t)(b.executors ? b.executors : few__workers_count(b.workers)) +
        cost.packed_bytes;
    if (opts->profile) st = report_profile(&b, out->repeats);
  }
  tear_down(&b);
  return st;
}
