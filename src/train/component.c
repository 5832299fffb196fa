/* component.c - few_component: one list of all components, from the tables of their modules. */
#include "few/component.h"

#include "data/options.h"
#include "data/reader.h"
#include "diffusion/process/process.h"
#include "diffusion/sampler/sampler.h"
#include "diffusion/weight/weight.h"
#include "engine/backend/backend.h"
#include "eval/feature/feature.h"
#include "eval/metric/metric.h"
#include "model/import/layout.h"
#include "train/config.h"
#include "train/optim/balance.h"
#include "train/optim/optim.h"

typedef struct few_component component;

/* A component whose usage is its name. A definition from outside may have no texts. */
static component simple(const char *name, const char *help, const char *source,
                        const struct few_option *options) {
  return (component){name, name, help ? help : "", source ? source : "", options, 0};
}

/* ---- kinds to which a context can add: component i of a context ---- */

static component network(const few_ctx *ctx, int i) {
  const struct few_net_def *d = few__net_at(ctx, i);
  return simple(d->name, d->help, d->source, d->options);
}

static component objective(const few_ctx *ctx, int i) {
  const struct few_objective_def *d = few__objective_at(ctx, i);
  return simple(d->name, d->help, d->source, d->options);
}

static component sampler(const few_ctx *ctx, int i) {
  const struct few_sampler_def *d = few__sampler_at(ctx, i);
  component c = simple(d->name, d->help, d->source, d->options);
  c.steps = d->steps;
  return c;
}

static component metric(const few_ctx *ctx, int i) {
  const struct few_metric_def *d = few__metric_at(ctx, i);
  return simple(d->name, d->help, d->source, NULL);
}

static component reader(const few_ctx *ctx, int i) {
  const struct few_reader_def *d = few__reader_at(ctx, i);
  component c = simple(d->name, d->help, "", few__data_options);
  c.usage = d->usage;
  return c;
}

/* ---- kinds that are only built in ---- */

static int schedules(void) { return FEW_SCHEDULES; }
static component schedule(int i) {
  const enum few_schedule s = (enum few_schedule)i;
  return simple(few__schedule_name(s), few__schedule_help(s), "", NULL);
}

static component optimizer(int i) {
  const struct few_optim *d = few__optim_at(i);
  return simple(d->name, d->help, d->source, NULL);
}

static component process(int i) {
  const struct few_process *d = few__process_at(i);
  return simple(d->name, d->help, d->source, NULL);
}

static int predictions(void) { return FEW_PREDICTIONS; }
static component prediction(int i) {
  const enum few_prediction p = (enum few_prediction)i;
  return simple(few__predict_name(p), few__predict_help(p), few__predict_source(p), NULL);
}

static component weight(int i) {
  const struct few_weight *d = few__weight_at(i);
  return simple(d->name, d->help, d->source, NULL);
}

static component balancer(int i) {
  const struct few_balancer *d = few__balancer_at(i);
  return simple(d->name, d->help, d->source, NULL);
}

static component features(int i) {
  return simple(few__features_name(i), few__features_help(i), "", NULL);
}

static int backends(void) {
  int n = 0;
  while (few__backend_at(n)) n++;
  return n;
}
static component backend(int i) {
  const struct few_backend *d = few__backend_at(i);
  return simple(d->name, d->help, "", NULL);
}

static int trainers(void) { return 1; }
static component trainer(int i) {
  FEW_UNUSED(i);
  return simple("train", "keys of every recipe", "", few__train_options());
}

static component layout(int i) {
  const struct few_layout *d = few__layout_at(i);
  return simple(d->name, d->help, d->format, NULL);
}

/* Each kind has either the first pair of functions or the second. */
static const struct {
  int (*count_of)(const few_ctx *ctx);
  component (*at_of)(const few_ctx *ctx, int i);
  int (*count)(void);
  component (*at)(int i);
} kinds[FEW_COMPONENT_KINDS] = {
    [FEW_COMPONENT_NETWORK] = {few__net_count, network, NULL, NULL},
    [FEW_COMPONENT_OBJECTIVE] = {few__objective_count, objective, NULL, NULL},
    [FEW_COMPONENT_SAMPLER] = {few__sampler_count, sampler, NULL, NULL},
    [FEW_COMPONENT_SCHEDULE] = {NULL, NULL, schedules, schedule},
    [FEW_COMPONENT_OPTIMIZER] = {NULL, NULL, few__optim_count, optimizer},
    [FEW_COMPONENT_PROCESS] = {NULL, NULL, few__process_count, process},
    [FEW_COMPONENT_PREDICTION] = {NULL, NULL, predictions, prediction},
    [FEW_COMPONENT_WEIGHT] = {NULL, NULL, few__weight_count, weight},
    [FEW_COMPONENT_BALANCER] = {NULL, NULL, few__balancer_count, balancer},
    [FEW_COMPONENT_READER] = {few__reader_count, reader, NULL, NULL},
    [FEW_COMPONENT_METRIC] = {few__metric_count, metric, NULL, NULL},
    [FEW_COMPONENT_FEATURES] = {NULL, NULL, few__features_count, features},
    [FEW_COMPONENT_BACKEND] = {NULL, NULL, backends, backend},
    [FEW_COMPONENT_TRAINER] = {NULL, NULL, trainers, trainer},
    [FEW_COMPONENT_LAYOUT] = {NULL, NULL, few__layout_count, layout},
};

int few_component_count(const few_ctx *ctx, enum few_component_kind kind) {
  if ((int)kind < 0 || kind >= FEW_COMPONENT_KINDS) return 0;
  return kinds[kind].count ? kinds[kind].count() : kinds[kind].count_of(ctx);
}

bool few_component(component *out, size_t size, const few_ctx *ctx, enum few_component_kind kind,
                   int i) {
  if (i < 0 || i >= few_component_count(ctx, kind)) return false;
  const component c = kinds[kind].at ? kinds[kind].at(i) : kinds[kind].at_of(ctx, i);
  few__give(out, size, &c, sizeof c);
  return true;
}

bool few_component_find(component *out, size_t size, const few_ctx *ctx,
                        enum few_component_kind kind, const char *name) {
  component c;
  for (int i = 0; few_component(&c, sizeof c, ctx, kind, i); i++)
    if (!strcmp(c.name, name) || !strcmp(c.usage, name)) {
      few__give(out, size, &c, sizeof c);
      return true;
    }
  return false;
}
