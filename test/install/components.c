/* A reader, a network and a sampler that a program adds, used together. A model is trained step by
 * step on the reader's data, and on the same data from a callback, and sampled. The program
 * includes only installed headers and uses only exported calls. */
#include <few.h>
#include <few/ext/net.h>
#include <few/ext/reader.h>
#include <few/ext/sampler.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- ring:RADIUS, points on a circle ---- */

enum { N = 256 };

static void point(float out[2], double radius, int64_t i) {
  out[0] = (float)(radius * cos(0.1 * (double)i));
  out[1] = (float)(radius * sin(0.1 * (double)i));
}

static few_status open_ring(few_data *d, const char *where, const struct few_data_opts *opts) {
  const double radius = atof(where);
  float *points = NULL;
  if (!(radius > 0))
    return few_ctx_fail(few_reader_ctx(d), FEW_E_INVALID, "ring:%s: give a radius above 0", where);
  few_status st = few_reader_no_split(d, opts);
  if (!st) st = few_reader_points(&points, d, N, 2);
  for (int i = 0; !st && i < N; i++) point(points + 2 * i, radius, i);
  return st;
}

static const struct few_reader_def ring = {.version = FEW_READER_DEF_VERSION,
                                           .name = "ring",
                                           .usage = "ring:RADIUS",
                                           .help = "points on a circle",
                                           .open = open_ring};

/* ---- a network of one hidden layer ---- */

struct small_opts {
  int64_t hidden;
  struct few_cond_opts cond;
};
static const struct few_option small_options[] = {
    FEW_OPT_INT(struct small_opts, hidden, "16", 1, 1024, "width of the hidden layer"),
    FEW_COND_OPTIONS(struct small_opts), FEW_OPT_END};

static few_node build(struct few_nn *nn, const struct few_net_spec *spec, const void *opts,
                      const struct few_net_input *in) {
  const struct small_opts *o = opts;
  few_node time = few_cond_embed(nn, spec, &o->cond, in, 16, o->hidden);
  few_node h = few_add(nn->g, few_nn_linear(nn, "in", in->x, o->hidden, 1, true), time);
  h = few_silu(nn->g, h);
  return few_nn_linear(nn, "out", h, few_net_heads(spec) * spec->c, 0, true);
}

static const struct few_net_def small = {.version = FEW_NET_DEF_VERSION,
                                         .name = "small",
                                         .source = "",
                                         .help = "one hidden layer",
                                         .options = small_options,
                                         .options_size = sizeof(struct small_opts),
                                         .build = build};

/* ---- a sampler: DDIM's steps ---- */

static few_status run(few_ctx *ctx, struct few_sampling *s) {
  float *F = few_ctx_alloc(ctx, (size_t)(s->rows * s->dims) * sizeof *F);
  few_status st = F ? FEW_OK : FEW_E_MEMORY;
  few_ctx_log(ctx, FEW_LOG_INFO, "plain: %d steps", s->steps);
  for (int k = 0; !st && k < s->steps; k++) {
    st = s->eval(s->user, s->x, s->t[k], s->t[k + 1], F);
    if (!st) few_sampling_line(s->x, s, few_step_ddim(s->sigma_d, s->t[k], s->t[k + 1]), s->x, F);
  }
  few_ctx_release(ctx, F);
  return st;
}

static const struct few_sampler_def plain = {.version = FEW_SAMPLER_DEF_VERSION,
                                             .name = "plain",
                                             .help = "first order",
                                             .schedule = "karras",
                                             .steps = 4,
                                             .order = 1,
                                             .evals_per_step = 1,
                                             .run = run};

/* ---- used together ---- */

static void on_log(void *user, few_log_level level, const char *message) {
  (void)level;
  if (strstr(message, "plain: 4 steps")) *(int *)user = 1;
}

static few_status item(void *user, int64_t i, void *values, int32_t *label) {
  (void)label;
  point(values, *(const double *)user, i);
  return FEW_OK;
}

/* Makes the ring as a set that a callback fills. */
static few_status make_ring(few_data **out, few_ctx *ctx) {
  static double radius = 2;
  struct few_data_memory memory = FEW_DATA_MEMORY_INIT;
  memory.n = N;
  memory.c = 2;
  memory.kind = FEW_DATA_POINTS;
  memory.item = item;
  memory.user = &radius;
  return few_data_create(out, ctx, &memory, NULL);
}

/* Trains on `data`, or on the reader's data if it is NULL. */
static few_status train(few_model **model, few_ctx *ctx, const few_data *data) {
  static const char *const recipe[] = {"net=small", "hidden=8", "steps=3",
                                       "batch=16",  "shards=2", "data=ring:2"};
  struct few_train_opts opts = FEW_TRAIN_OPTS_INIT;
  few_trainer *t = NULL;
  opts.data = data;
  opts.overrides = recipe;
  opts.n_overrides = (int)(sizeof recipe / sizeof *recipe) - (data != NULL);
  few_status st = few_trainer_open(&t, ctx, &opts);
  while (!st && !few_trainer_done(t)) st = few_trainer_step(t);
  if (!st) st = few_trainer_model(model, t);
  few_trainer_close(t);
  return st;
}

/* Trains on the reader's data and on those of the callback, which must give the same weights. */
static few_status train_twice(few_model **model, few_ctx *ctx) {
  few_data *data = NULL;
  few_model *other = NULL;
  struct few_model_info info;
  few_status st = train(model, ctx, NULL);
  if (!st) st = make_ring(&data, ctx);
  if (!st) st = train(&other, ctx, data);
  if (!st) few_model_info(&info, sizeof info, *model);
  if (!st && memcmp(few_model_values(*model), few_model_values(other),
                    (size_t)info.parameters * sizeof(float)) != 0)
    st = few_ctx_fail(ctx, FEW_E_INVALID, "reader and callback differ");
  few_model_free(other);
  few_data_free(data);
  return st;
}

static few_status sample(few_ctx *ctx, const few_model *model) {
  struct few_sample_opts opts = FEW_SAMPLE_OPTS_INIT;
  few_runner *runner = NULL;
  float twice[2][8 * 2];
  opts.n = 8;
  few_status st = few_runner_create(&runner, ctx, model);
  for (int i = 0; !st && i < 2; i++) { /* the same steps as the built-in sampler's */
    opts.sampler = i ? "ddim" : "plain";
    opts.steps = i ? 4 : 0;
    st = few_sample(twice[i], NULL, NULL, runner, &opts);
  }
  few_runner_free(runner);
  if (!st && memcmp(twice[0], twice[1], sizeof twice[0]) != 0)
    return few_ctx_fail(ctx, FEW_E_INVALID, "plain and ddim differ");
  return st;
}

int main(void) {
  struct few_ctx_opts opts = FEW_CTX_OPTS_INIT;
  struct few_component c;
  few_ctx *ctx = NULL;
  few_model *model = NULL;
  few_data *data = NULL;
  int logged = 0, refused = 0;
  opts.user = &logged;
  opts.log = on_log;
  few_status st = few_ctx_create(&ctx, &opts);
  if (!st) st = few_ctx_add_reader(ctx, &ring);
  if (!st) st = few_ctx_add_net(ctx, &small);
  if (!st) st = few_ctx_add_sampler(ctx, &plain);
  if (!st) st = train_twice(&model, ctx);
  if (!st) st = sample(ctx, model);
  if (st) fprintf(stderr, "%s\n", few_error(ctx));
  if (!st && few_component_find(&c, sizeof c, ctx, FEW_COMPONENT_SAMPLER, "plain"))
    refused = few_data_open(&data, ctx, "ring:-1", NULL) == FEW_E_INVALID && c.steps == 4 &&
              strstr(few_error(ctx), "radius above 0") != NULL;
  few_model_free(model);
  few_ctx_free(ctx);
  return st || !logged || !refused ? 1 : 0;
}
