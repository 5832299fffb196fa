/* components.c - what there is to choose from, for help texts. */
#include "diffusion/process/process.h"
#include "diffusion/weight/weight.h"
#include "setup.h"

typedef struct few_component_info info;

static info net(int i) {
  const struct few_net_def *d = few__net_at(i);
  return (info){d->name, d->source, d->help};
}

static info objective(int i) {
  const struct few_objective_def *d = few__objective_at(i);
  return (info){d->name, d->source, d->help};
}

static info optimizer(int i) {
  const struct few_optim *d = few__optim_at(i);
  return (info){d->name, d->source, d->help};
}

static info process(int i) {
  const struct few_process *d = few__process_at(i);
  return (info){d->name, d->source, d->help};
}

static int predictions(void) { return FEW_PREDICTIONS; }
static info prediction(int i) {
  const enum few_prediction p = (enum few_prediction)i;
  return (info){few__predict_name(p), few__predict_source(p), few__predict_help(p)};
}

static info weight(int i) {
  const struct few_weight *d = few__weight_at(i);
  return (info){d->name, d->source, d->help};
}

static info balancer(int i) {
  const struct few_balancer *d = few__balancer_at(i);
  return (info){d->name, d->source, d->help};
}

static int trainers(void) { return 1; }
static info trainer(int i) {
  FEW_UNUSED(i);
  return (info){"train", "", "keys of every recipe"};
}

static const struct few_option *net_options(int i) { return few__net_at(i)->options; }
static const struct few_option *objective_options(int i) { return few__objective_at(i)->options; }
static const struct few_option *train_options(int i) {
  FEW_UNUSED(i);
  return few__train_options();
}

static const struct kind {
  const char *name;
  int (*count)(void);
  info (*at)(int i);
  const struct few_option *(*options)(int i); /* NULL: none has any */
} kinds[] = {
    {"net", few__net_count, net, net_options},
    {"objective", few__objective_count, objective, objective_options},
    {"optimizer", few__optim_count, optimizer, NULL},
    {"process", few__process_count, process, NULL},
    {"prediction", predictions, prediction, NULL},
    {"weight", few__weight_count, weight, NULL},
    {"balancer", few__balancer_count, balancer, NULL},
    {"train", trainers, trainer, train_options},
};

static const struct kind *find(const char *kind) {
  for (int i = 0; i < FEW_COUNT(kinds); i++)
    if (kind && !strcmp(kinds[i].name, kind)) return &kinds[i];
  return NULL;
}

int few_component_count(const char *kind) {
  const struct kind *k = find(kind);
  return k ? k->count() : 0;
}

struct few_component_info few_component(const char *kind, int i) {
  if (i < 0 || i >= few_component_count(kind)) return (struct few_component_info){.name = NULL};
  return find(kind)->at(i);
}

few_status few_component_options(few_ctx *ctx, const char *kind, int i, char **out) {
  struct few_text text = {0};
  *out = NULL;
  if (i < 0 || i >= few_component_count(kind))
    return few__fail(ctx, FEW_E_INVALID, "there is no %s number %d", kind, i);
  const struct kind *k = find(kind);
  const struct few_option *table = k->options ? k->options(i) : NULL;
  few__text_add(ctx, &text, "%s", "");
  if (table) few__options_help(ctx, table, &text);
  if (text.failed) {
    few__text_free(ctx, &text);
    return few__fail(ctx, FEW_E_MEMORY, "out of memory: option text");
  }
  *out = text.at;
  return FEW_OK;
}
