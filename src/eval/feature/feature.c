/* feature.c - opens a feature network and runs it over images.
 *
 * This works like the evaluation of models (model/run/runner.c): a plan has R rows, and R images
 * are one task, which one worker computes in an arena of its own. Kernels give an image the same
 * bits in every row. On a device, R is larger, and the workers resize the images of a task
 * together. The device is the one that the context has when the network is opened.
 */
#include "feature.h"

#include <stdio.h>

#include "base/workers.h"
#include "engine/plan/executor.h"
#include "io/file.h"
#include "net.h"

#define FEW_FEATURE(name) extern const struct few_feature_def few__feature_##name;
#include "features.def"
#undef FEW_FEATURE

static const struct few_feature_def *const table[] = {
#define FEW_FEATURE(name) &few__feature_##name,
#include "features.def"
#undef FEW_FEATURE
};

int few__features_count(void) { return FEW_COUNT(table); }

const char *few__features_name(int i) {
  assert(i >= 0 && i < FEW_COUNT(table));
  return table[i]->name;
}

const char *few__features_help(int i) {
  assert(i >= 0 && i < FEW_COUNT(table));
  return table[i]->help;
}

const char *few__features_file(const char *name) {
  for (int i = 0; i < FEW_COUNT(table); i++)
    if (!strcmp(table[i]->name, name) && table[i]->weights && *table[i]->weights)
      return table[i]->weights;
  return NULL;
}

enum { ROWS, LOGITS, SPATIAL, OUTS };
enum { DEVICE_ROWS = 64 };

struct worker_state { /* buffers of one worker */
  few_executor *executor;
  few_status status;
  float *x, *out[OUTS];
  const void **slots;
};

struct few_features {
  struct few_feature_net net;
  struct few_features_info info;
  few_plan *plan; /* NULL: rows are the images themselves */
  bool device;
  int64_t rows; /* of the plan */
  int64_t width[OUTS];
  few_workers *workers;
  struct worker_state *state;
  int n_states, wanted;
};

/* ---- opening ---- */

static few_status find(few_ctx *ctx, const char *spec, const struct few_feature_def **def,
                       const char **file) {
  const char *eq = strchr(spec, '=');
  size_t n = eq ? (size_t)(eq - spec) : strlen(spec);
  *file = eq ? eq + 1 : NULL;
  for (int i = 0; i < FEW_COUNT(table); i++) {
    *def = table[i];
    if (strlen((*def)->name) == n && !strncmp((*def)->name, spec, n)) return FEW_OK;
  }
  struct few_text names = {0};
  for (int i = 0; i < FEW_COUNT(table); i++)
    few__text_add(ctx, &names, i ? ", %s" : "%s", table[i]->name);
  few_status st = few__fail(ctx, FEW_E_INVALID,
                            "there are no features `%.60s`: choose from %s; classifier=FILE is a "
                            "model that objective classifier trained",
                            spec, names.at ? names.at : "few list");
  few__text_free(ctx, &names);
  return st;
}

static few_status load(few_features *f, const char *file) {
  const struct few_feature_def *def = f->net.def;
  if (!def->weights) {
    if (!file) return FEW_OK;
    return few__fail(f->net.ctx, FEW_E_INVALID, "features %s take no weights: leave out =%s",
                     def->name, file);
  }
  if (!file) file = def->weights;
  if (!*file)
    return few__fail(f->net.ctx, FEW_E_INVALID,
                     "features %s need weights, which do not come with few: give %s=FILE",
                     def->name, def->name);
  if (file == def->weights && !few__path_exists(file))
    return few__fail(f->net.ctx, FEW_E_IO, "features %s: there is no %s here: give %s=FILE",
                     def->name, file, def->name);
  if (def->open) return def->open(&f->net, file);
  return few__weights_read(f->net.ctx, &f->net.weights, file);
}

static few_status build(few_features *f) {
  struct few_feature_net *net = &f->net;
  const struct few_planning_opts opts = {.backend = few__backend_of(net->ctx), .real = FEW_F32};
  few_node out[OUTS] = {FEW_NONE, FEW_NONE, FEW_NONE};
  int64_t n = 0;
  f->device = opts.backend->device;
  f->rows = f->device ? DEVICE_ROWS : net->def->rows;
  FEW_TRY(few_graph_create(&net->g, net->ctx));
  few_node x = few_input(net->g, "x", FEW_REAL, FEW_SHAPE(f->rows, net->h, net->w, net->c));
  net->def->build(net, x, out);
  few_status st = few_graph_status(net->g);
  for (int k = 0; k < OUTS && !st; k++) {
    if (out[k] == FEW_NONE) continue;
    f->width[k] = few_shape_count(few_node_shape(net->g, out[k])) / f->rows;
    assert(n == k || k == SPATIAL); /* no gap: a network with logits has rows */
    out[n++] = out[k];
  }
  if (!st) st = few__plan_create(net->ctx, &f->plan, net->g, &opts, (int)n, out);
  few_graph_free(net->g);
  net->g = NULL;
  if (st) return st;
  f->info.flops = few__plan_cost(f->plan).flops / (double)f->rows;
  return FEW_OK;
}

static few_status set_up(few_features *f, few_status loaded) {
  FEW_TRY(loaded);
  struct few_feature_net *net = &f->net;
  const struct few_feature_def *def = net->def;
  if (net->weights.path) memcpy(f->info.hash, net->weights.hash, sizeof f->info.hash);
  if (net->hash[0]) memcpy(f->info.hash, net->hash, sizeof f->info.hash);
  f->info.name = def->name;
  f->info.resize = net->resize[0] ? net->resize : def->resize;
  f->info.trained_on = net->trained_on[0] ? net->trained_on : def->trained_on;
  if (def->build) FEW_TRY(build(f));
  f->info.dim = f->width[ROWS];
  f->info.classes = f->width[LOGITS];
  if (f->net.model) f->info.names = few__model_classes(f->net.model, "the classifier");
  f->info.spatial = f->width[SPATIAL];
  few__weights_free(net->ctx, &net->weights);
  return FEW_OK;
}

static few_status create(few_ctx *ctx, few_features **out, const struct few_feature_def *def) {
  FEW_TRY(FEW_NEW(ctx, out, 1));
  (*out)->net = (struct few_feature_net){.ctx = ctx, .def = def};
  (*out)->net.h = def->h;
  (*out)->net.w = def->w;
  (*out)->net.c = def->c;
  return FEW_OK;
}

static few_status end(few_features **f, few_status st) {
  if (!st) return FEW_OK;
  few__features_free(*f);
  *f = NULL;
  return st;
}

few_status few__features_open(few_ctx *ctx, few_features **out, const char *spec) {
  const struct few_feature_def *def;
  const char *file;
  *out = NULL;
  FEW_TRY(find(ctx, spec, &def, &file));
  FEW_TRY(create(ctx, out, def));
  return end(out, set_up(*out, load(*out, file)));
}

few_status few__features_open_weights(few_ctx *ctx, few_features **out, const char *name,
                                      struct few_weights *weights) {
  const struct few_feature_def *def;
  const char *file;
  few_status st = find(ctx, name, &def, &file);
  *out = NULL;
  if (!st) st = create(ctx, out, def);
  if (st) {
    few__weights_free(ctx, weights);
    return st;
  }
  (*out)->net.weights = *weights;
  *weights = (struct few_weights){0};
  return end(out, set_up(*out, FEW_OK));
}

static void free_workers(few_features *f) {
  few_ctx *ctx = f->net.ctx;
  for (int i = 0; i < f->n_states; i++) {
    struct worker_state *s = &f->state[i];
    few__executor_free(s->executor);
    few__free(ctx, s->x);
    few__free(ctx, (void *)s->slots);
    for (int k = 0; k < OUTS; k++) few__free(ctx, s->out[k]);
  }
  few__free(ctx, f->state);
  f->state = NULL;
  f->n_states = f->wanted = 0;
  few__workers_free(f->workers);
  f->workers = NULL;
}

void few__features_free(few_features *f) {
  if (!f) return;
  few_ctx *ctx = f->net.ctx;
  free_workers(f);
  few__plan_free(f->plan);
  for (int i = 0; i < f->net.arrays.n; i++) few__free(ctx, f->net.arrays.at[i].at);
  few__free(ctx, f->net.arrays.at);
  few__weights_free(ctx, &f->net.weights);
  few_model_free(f->net.model);
  few__free(ctx, f);
}

const struct few_features_info *few__features_info(const few_features *f) { return &f->info; }

/* ---- worker states ---- */

static const void *array(const few_features *f, const char *name) {
  for (int i = 0; i < f->net.arrays.n; i++)
    if (!strcmp(f->net.arrays.at[i].name, name)) return f->net.arrays.at[i].at;
  return NULL;
}

static few_status make_worker(const few_features *f, struct worker_state *s) {
  few_ctx *ctx = f->net.ctx;
  const int64_t rows = f->rows, n = few__plan_slots(f->plan);
  FEW_TRY(few__executor_create(ctx, &s->executor, 1, (const few_plan *[]){f->plan}, NULL));
  FEW_TRY(FEW_NEW(ctx, &s->x, rows * f->net.h * f->net.w * f->net.c));
  for (int k = 0; k < OUTS; k++) FEW_TRY(FEW_NEW(ctx, &s->out[k], rows * f->width[k]));
  FEW_TRY(FEW_NEW(ctx, &s->slots, n));
  if (f->net.model) few__model_bind(f->net.model, f->plan, "", NULL, s->slots);
  for (int i = 0; i < n; i++) {
    const struct few_slot *slot = few__plan_slot(f->plan, i);
    if (!slot->param)
      s->slots[i] = s->x;
    else if (!s->slots[i])
      s->slots[i] = array(f, slot->name);
    assert(s->slots[i]);
  }
  return FEW_OK;
}

static few_status make_workers(few_features *f, int n) {
  FEW_TRY(few__workers_create(f->net.ctx, &f->workers, n));
  const int states = f->device ? 1 : few__workers_count(f->workers);
  FEW_TRY(FEW_NEW(f->net.ctx, &f->state, states));
  f->n_states = states;
  for (int i = 0; i < f->n_states; i++) FEW_TRY(make_worker(f, &f->state[i]));
  f->wanted = n;
  return FEW_OK;
}

static few_status prepare(few_features *f, int64_t tasks) {
  const int most = few_ctx_workers(f->net.ctx), want = tasks < most ? (int)tasks : most;
  if (f->wanted >= want && f->wanted <= most) return FEW_OK;
  free_workers(f);
  few_status st = make_workers(f, want);
  if (st) free_workers(f);
  return st;
}

/* ---- running ---- */

few_status few__features_fit(few_features *f, int64_t h, int64_t w, int64_t c) {
  const struct few_feature_net *net = &f->net;
  few_ctx *ctx = net->ctx;
  if (h < 1 || w < 1 || (c != 1 && c != 3))
    return few__fail(ctx, FEW_E_INVALID, "features of %lldx%lldx%lld: images have 1 or 3 channels",
                     (long long)h, (long long)w, (long long)c);
  if (!f->plan) {
    f->info.dim = h * w * c;
    return FEW_OK;
  }
  bool channels = c == net->c || (c == 1 && net->c == 3); /* grey is three equal channels */
  if (channels && (!net->def->fixed || (h == net->h && w == net->w))) return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID,
                   "features %s take images %s, these are %lldx%lldx%lld: choose other features",
                   f->info.name, f->info.resize, (long long)h, (long long)w, (long long)c);
}

int64_t few__features_portion(const few_features *f) {
  assert(!f->plan || f->rows > 0);
  if (!f->plan) return 1;
  return f->rows * (f->device ? 1 : few_ctx_workers(f->net.ctx));
}

struct job {
  few_features *f;
  int64_t n, h, w, c;
  const uint8_t *pixels;
  float *out[OUTS];
};

static int64_t chunk_rows(const struct job *j, int64_t start) {
  return j->n - start < j->f->rows ? j->n - start : j->f->rows;
}

static void feed(const struct job *j, struct worker_state *s, int64_t start, int64_t i) {
  const struct few_feature_net *net = &j->f->net;
  net->def->prepare(net, j->h, j->w, j->c, j->pixels + (start + i) * j->h * j->w * j->c,
                    s->x + i * net->h * net->w * net->c);
}

/* Runs the plan on the rows that are filled in. */
static void compute(const struct job *j, struct worker_state *s, int64_t start) {
  const few_features *f = j->f;
  const int64_t rows = chunk_rows(j, start), fed = f->net.h * f->net.w * f->net.c;
  void *outs[OUTS];
  int n = 0;
  memset(s->x + rows * fed, 0, (size_t)((f->rows - rows) * fed) * sizeof *s->x);
  for (int o = 0; o < OUTS; o++)
    if (f->width[o]) outs[n++] = s->out[o];
  const few_status st = few__executor_run(
      s->executor, 0, &(struct few_binding){.slots = s->slots, .outs = outs, .values = 1});
  if (!s->status) s->status = st;
  for (int o = 0; o < OUTS; o++)
    if (j->out[o])
      memcpy(j->out[o] + start * f->width[o], s->out[o],
             (size_t)(rows * f->width[o]) * sizeof(float));
}

static void run_chunk(void *user, int64_t k, int worker) {
  const struct job *j = user;
  struct worker_state *s = &j->f->state[worker];
  const int64_t start = k * j->f->rows;
  for (int64_t i = 0; i < chunk_rows(j, start); i++) feed(j, s, start, i);
  compute(j, s, start);
}

struct feeding {
  const struct job *job;
  int64_t start;
};

static void feed_row(void *user, int64_t i, int worker) {
  const struct feeding *w = user;
  FEW_UNUSED(worker);
  feed(w->job, &w->job->f->state[0], w->start, i);
}

static void run_on_device(struct job *j) {
  for (int64_t start = 0; start < j->n; start += j->f->rows) {
    struct feeding w = {j, start};
    few__workers_run(j->f->workers, chunk_rows(j, start), feed_row, &w);
    compute(j, &j->f->state[0], start);
  }
}

few_status few__features_run(few_features *f, int64_t n, int64_t h, int64_t w, int64_t c,
                             const uint8_t *pixels, float *rows, float *logits, float *spatial) {
  struct job j = {f, n, h, w, c, pixels, {rows, logits, spatial}};
  if (n < 0)
    return few__fail(f->net.ctx, FEW_E_INVALID, "%lld images: give 0 or more", (long long)n);
  FEW_TRY(few__features_fit(f, h, w, c));
  assert(n == 0 || (rows && pixels));
  assert((!logits || f->width[LOGITS]) && (!spatial || f->width[SPATIAL]));
  for (int64_t i = 0; !f->plan && i < n * h * w * c; i++) rows[i] = (float)pixels[i] / 255;
  if (n == 0 || !f->plan) return FEW_OK;
  const int64_t chunks = (n + f->rows - 1) / f->rows;
  FEW_TRY(prepare(f, f->device ? f->rows : chunks));
  if (f->device)
    run_on_device(&j);
  else
    few__workers_run(f->workers, chunks, run_chunk, &j);
  for (int i = 0; i < f->n_states; i++) FEW_TRY(f->state[i].status);
  return FEW_OK;
}
