/* components.c - what there is to choose from, for help texts. */
#include "recipe.h"

static const struct few_option *table_of(const char *kind, int i) {
  if (!strcmp(kind, "net")) return few__net_at(i)->options;
  if (!strcmp(kind, "objective")) return few__objective_at(i)->options;
  return !strcmp(kind, "train") ? few__train_options() : NULL;
}

int few_component_count(const char *kind) {
  if (!strcmp(kind, "net")) return few__net_count();
  if (!strcmp(kind, "objective")) return few__objective_count();
  if (!strcmp(kind, "optimizer")) return few__optim_count();
  return !strcmp(kind, "train");
}

struct few_component_info few_component(const char *kind, int i) {
  assert(i >= 0 && i < few_component_count(kind));
  if (!strcmp(kind, "net")) {
    const struct few_net_def *d = few__net_at(i);
    return (struct few_component_info){d->name, d->source, d->help};
  }
  if (!strcmp(kind, "objective")) {
    const struct few_objective_def *d = few__objective_at(i);
    return (struct few_component_info){d->name, d->source, d->help};
  }
  if (!strcmp(kind, "optimizer")) {
    const struct few_optim *d = few__optim_at(i);
    return (struct few_component_info){d->name, d->source, d->help};
  }
  return (struct few_component_info){"train", "", "keys of every recipe"};
}

few_status few_component_options(few_ctx *ctx, const char *kind, int i, char **out) {
  struct few_text text = {0};
  *out = NULL;
  if (i < 0 || i >= few_component_count(kind))
    return few__fail(ctx, FEW_E_INVALID, "there is no %s number %d", kind, i);
  const struct few_option *table = table_of(kind, i);
  few__text_add(ctx, &text, "%s", "");
  if (table) few__options_help(ctx, table, &text);
  if (text.failed) {
    few__text_free(ctx, &text);
    return few__fail(ctx, FEW_E_MEMORY, "out of memory: option text");
  }
  *out = text.at;
  return FEW_OK;
}
