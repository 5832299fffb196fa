/* table.c - the objectives by name: objectives.def, and those of a context. */
#include "base/added.h"
#include "objective.h"

#define FEW_OBJECTIVE(name) extern const struct few_objective_def few__objective_##name;
#include "objectives.def"
#undef FEW_OBJECTIVE

static const struct few_objective_def *const table[] = {
#define FEW_OBJECTIVE(name) &few__objective_##name,
#include "objectives.def"
#undef FEW_OBJECTIVE
};

int few__objective_count(const few_ctx *ctx) {
  return FEW_COUNT(table) + few__added_count(ctx, FEW_ADDED_OBJECTIVE);
}

const struct few_objective_def *few__objective_at(const few_ctx *ctx, int i) {
  assert(i >= 0 && i < few__objective_count(ctx));
  if (i < FEW_COUNT(table)) return table[i];
  return few__added_at(ctx, FEW_ADDED_OBJECTIVE, i - FEW_COUNT(table));
}

const struct few_objective_def *few__objective_find(const few_ctx *ctx, const char *name) {
  for (int i = 0; i < few__objective_count(ctx); i++)
    if (!strcmp(few__objective_at(ctx, i)->name, name)) return few__objective_at(ctx, i);
  return NULL;
}

/* The name of the first member that must be set and is NULL; some are required by others. */
static const char *missing(const struct few_objective_def *d) {
  if (!d->help) return "help";
  if (!d->options) return "options";
  if (!d->sampler) return "sampler";
  if (!d->build) return "build";
  if (d->n_scalars > 0 && !d->schedule) return "schedule";
  if (d->target == FEW_TARGET_AVERAGE && !d->target_decay) return "target_decay";
  return NULL;
}

static few_status check(few_ctx *ctx, const struct few_objective_def *d) {
  if (d->n_scalars < 0 || d->n_scalars > FEW_MAX_SCALARS)
    return few__fail(ctx, FEW_E_INVALID, "few_objective_def %s: n_scalars is %d: give 0 to %d",
                     d->name, d->n_scalars, FEW_MAX_SCALARS);
  if (d->warms_up && !d->n_scalars)
    return few__fail(ctx, FEW_E_INVALID,
                     "few_objective_def %s: warms_up needs scalar[0]: set n_scalars", d->name);
  if (!d->guides) return FEW_OK;
  if (!d->needs_teacher)
    return few__fail(ctx, FEW_E_INVALID,
                     "few_objective_def %s: `guides` guides the teacher: set "
                     "needs_teacher",
                     d->name);
  const struct few_option *o = few_option_find(d->options, "guidance_min");
  if (o && o->offset == offsetof(struct few_guidance_opts, guidance_min)) return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID,
                   "few_objective_def %s: `guides` needs options that begin with struct "
                   "few_guidance_opts: put FEW_GUIDANCE_OPTIONS first",
                   d->name);
}

few_status few_ctx_add_objective(few_ctx *ctx, const struct few_objective_def *def) {
  static const char type[] = "few_objective_def";
  FEW_TRY(few__added_version(ctx, type, def, FEW_OBJECTIVE_DEF_VERSION));
  const struct few_addition a = {.kind = FEW_ADDED_OBJECTIVE,
                                 .type = type,
                                 .def = def,
                                 .name = def->name,
                                 .missing = missing(def),
                                 .taken = def->name && few__objective_find(ctx, def->name),
                                 .options = def->options,
                                 .options_size = def->options_size};
  if (a.name && !a.missing) FEW_TRY(check(ctx, def));
  return few__added_add(ctx, &a);
}
