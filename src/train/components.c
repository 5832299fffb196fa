/* components.c - what there is to choose from, for help texts. */
#include "diffusion/process/process.h"
#include "diffusion/weight/weight.h"
#include "eval/metric/metric.h"
#include "setup.h"

typedef struct few_component_info info;

static info net(const few_ctx *ctx, int i) {
  const struct few_net_def *d = few__net_at(ctx, i);
  return (info){d->name, d->source, d->help};
}

static info objective(const few_ctx *ctx, int i) {
  const struct few_objective_def *d = few__objective_at(ctx, i);
  return (info){d->name, d->source, d->help};
}

static int optimizers(const few_ctx *ctx) {
  FEW_UNUSED(ctx);
  return few__optim_count();
}
static info optimizer(const few_ctx *ctx, int i) {
  FEW_UNUSED(ctx);
  const struct few_optim *d = few__optim_at(i);
  return (info){d->name, d->source, d->help};
}

static int processes(const few_ctx *ctx) {
  FEW_UNUSED(ctx);
  return few__process_count();
}
static info process(const few_ctx *ctx, int i) {
  FEW_UNUSED(ctx);
  const struct few_process *d = few__process_at(i);
  return (info){d->name, d->source, d->help};
}

static int predictions(const few_ctx *ctx) {
  FEW_UNUSED(ctx);
  return FEW_PREDICTIONS;
}
static info prediction(const few_ctx *ctx, int i) {
  FEW_UNUSED(ctx);
  const enum few_prediction p = (enum few_prediction)i;
  return (info){few__predict_name(p), few__predict_source(p), few__predict_help(p)};
}

static int weights(const few_ctx *ctx) {
  FEW_UNUSED(ctx);
  return few__weight_count();
}
static info weight(const few_ctx *ctx, int i) {
  FEW_UNUSED(ctx);
  const struct few_weight *d = few__weight_at(i);
  return (info){d->name, d->source, d->help};
}

static int balancers(const few_ctx *ctx) {
  FEW_UNUSED(ctx);
  return few__balancer_count();
}
static info balancer(const few_ctx *ctx, int i) {
  FEW_UNUSED(ctx);
  const struct few_balancer *d = few__balancer_at(i);
  return (info){d->name, d->source, d->help};
}

static int trainers(const few_ctx *ctx) {
  FEW_UNUSED(ctx);
  return 1;
}
static info trainer(const few_ctx *ctx, int i) {
  FEW_UNUSED(ctx);
  FEW_UNUSED(i);
  return (info){"train", "", "keys of every recipe"};
}

static info sampler(const few_ctx *ctx, int i) {
  const struct few_sampler_def *d = few__sampler_at(ctx, i);
  return (info){d->name, d->source, d->help};
}

static info metric(const few_ctx *ctx, int i) {
  const struct few_metric_def *d = few__metric_at(ctx, i);
  return (info){d->name, d->source, d->help};
}

static const struct few_option *net_options(const few_ctx *ctx, int i) {
  return few__net_at(ctx, i)->options;
}
static const struct few_option *objective_options(const few_ctx *ctx, int i) {
  return few__objective_at(ctx, i)->options;
}
static const struct few_option *sampler_options(const few_ctx *ctx, int i) {
  return few__sampler_at(ctx, i)->options;
}
static const struct few_option *train_options(const few_ctx *ctx, int i) {
  FEW_UNUSED(ctx);
  FEW_UNUSED(i);
  return few__train_options();
}

static const struct kind {
  const char *name;
  int (*count)(const few_ctx *ctx);
  info (*at)(const few_ctx *ctx, int i);
  const struct few_option *(*options)(const few_ctx *ctx, int i); /* NULL: none has any */
} kinds[] = {
    {"net", few__net_count, net, net_options},
    {"objective", few__objective_count, objective, objective_options},
    {"sampler", few__sampler_count, sampler, sampler_options},
    {"metric", few__metric_count, metric, NULL},
    {"optimizer", optimizers, optimizer, NULL},
    {"process", processes, process, NULL},
    {"prediction", predictions, prediction, NULL},
    {"weight", weights, weight, NULL},
    {"balancer", balancers, balancer, NULL},
    {"train", trainers, trainer, train_options},
};

static const struct kind *find(const char *kind) {
  for (int i = 0; i < FEW_COUNT(kinds); i++)
    if (kind && !strcmp(kinds[i].name, kind)) return &kinds[i];
  return NULL;
}

int few_component_count(const few_ctx *ctx, const char *kind) {
  const struct kind *k = find(kind);
  return k ? k->count(ctx) : 0;
}

struct few_component_info few_component(const few_ctx *ctx, const char *kind, int i) {
  if (i < 0 || i >= few_component_count(ctx, kind))
    return (struct few_component_info){.name = NULL};
  return find(kind)->at(ctx, i);
}

few_status few_component_options(few_ctx *ctx, const char *kind, int i, char **out) {
  struct few_text text = {0};
  *out = NULL;
  if (i < 0 || i >= few_component_count(ctx, kind))
    return few__fail(ctx, FEW_E_INVALID, "there is no %s number %d", kind, i);
  const struct kind *k = find(kind);
  const struct few_option *table = k->options ? k->options(ctx, i) : NULL;
  few__text_add(ctx, &text, "%s", "");
  if (table) few__options_help(ctx, table, &text);
  if (text.failed) {
    few__text_free(ctx, &text);
    return few__fail(ctx, FEW_E_MEMORY, "out of memory: option text");
  }
  *out = text.at;
  return FEW_OK;
}
