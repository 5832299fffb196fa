/* objectives.c - what a run is trained for: one objective, or several whose losses are added.
 *
 *   objective = scd + vsd      the options of the second are vsd.weight, vsd.p_mean ...
 *
 * Names are separated by one +. Anything else is refused, because it may be a typo.
 */
#include <stdio.h>

#include "config.h"
#include "diffusion/sampler/sampler.h"

static few_status add(few_ctx *ctx, struct few_config *c, const char *name, size_t n) {
  struct few_config_objective *o = &c->objective[c->n_objectives];
  char copy[32];
  snprintf(copy, sizeof copy, "%.*s", (int)(n < sizeof copy ? n : sizeof copy - 1), name);
  if (!n)
    return few__fail(ctx, FEW_E_INVALID,
                     "%s: objective = %s: write names with + between, as in scd + vsd",
                     c->recipe.place, c->keys.objective);
  if (c->n_objectives == FEW_MAX_OBJECTIVES)
    return few__fail(ctx, FEW_E_INVALID, "%s: objective = %s: at most %d objectives can be added",
                     c->recipe.place, c->keys.objective, FEW_MAX_OBJECTIVES);
  o->def = few__objective_find(ctx, copy);
  if (!o->def)
    return few__fail(ctx, FEW_E_INVALID,
                     "%s: objective = %s: there is no such objective: see `few list objectives`",
                     c->recipe.place, copy);
  for (int i = 0; i < c->n_objectives; i++)
    if (c->objective[i].def == o->def)
      return few__fail(ctx, FEW_E_INVALID, "%s: objective %s is given twice", c->recipe.place,
                       copy);
  const struct few_sampler_def *sampler;
  if (!o->def->classifies) FEW_TRY(few__sampler_find(ctx, &sampler, o->def->sampler));
  if (c->n_objectives++) snprintf(o->prefix, sizeof o->prefix, "%.30s.", copy);
  FEW_TRY(few__new(ctx, &o->opts, 1, o->def->options_size));
  return few_options_default(o->opts, ctx, o->def->options);
}

bool few__config_evaluates_teacher(const struct few_config_objective *o) {
  return o->def->needs_teacher && !(o->def->teacherless && o->def->teacherless(o->opts));
}

/* Called once with the default options, and again with those of the recipe. */
static void gather(struct few_config *c) {
  c->needs_teacher = false;
  for (int i = 0; i < c->n_objectives; i++) {
    const struct few_objective_def *def = c->objective[i].def;
    c->needs_teacher |=
        few__config_evaluates_teacher(&c->objective[i]) || def->build_fake || def->pairs;
    c->needs_pairs |= def->pairs;
    if (c->target == FEW_TARGET_NONE) c->target = def->target;
  }
}

/* The objective with a target network among the first n; NULL: none. */
static const struct few_objective_def *with_target(const struct few_config *c, int n) {
  for (int i = 0; i < n; i++)
    if (c->objective[i].def->target != FEW_TARGET_NONE) return c->objective[i].def;
  return NULL;
}

/* Objectives can be added only if they agree on the target network, the form of the step size and
 * the source of the rows. */
static few_status check_sum(few_ctx *ctx, const struct few_config *c) {
  const struct few_objective_def *first = c->objective[0].def;
  for (int i = 1; i < c->n_objectives; i++) {
    const struct few_objective_def *d = c->objective[i].def;
    const struct few_objective_def *other = first;
    const char *why = NULL;
    if (d->classifies || first->classifies) why = "a classifier's loss cannot be added to another";
    if (d->step_size != first->step_size && !d->generates)
      why = first->generates ? "only the first can give the student a step size: exchange them"
                             : "they give the student the step size in different forms";
    if (d->pairs != first->pairs) why = "one trains on the data, the other on the teacher's pairs";
    if (d->stages && !first->stages) why = "the second has stages: put it first";
    if (!why && d->target != FEW_TARGET_NONE && with_target(c, i)) {
      other = with_target(c, i);
      why = "each has a target network, updated in its own way";
    }
    if (why)
      return few__fail(ctx, FEW_E_INVALID, "%s: %s and %s cannot be added: %s", c->recipe.place,
                       other->name, d->name, why);
  }
  return FEW_OK;
}

few_status few__config_objectives(few_ctx *ctx, struct few_config *c) {
  for (const char *at = c->keys.objective;; at++) {
    at += strspn(at, " ");
    size_t n = strcspn(at, "+"), name = n;
    while (name && at[name - 1] == ' ') name--;
    FEW_TRY(add(ctx, c, at, name));
    at += n;
    if (!*at) break;
  }
  gather(c);
  FEW_TRY(check_sum(ctx, c));
  return few__balancer_find(ctx, &c->balance, c->keys.balance);
}

/* ---- options that belong to the student ----
 *
 * All losses of a sum train one student, so they must agree on the range of its guidance scale and
 * on the noise from which it is sampled. Each objective has these keys, since it may be the only
 * one. In a sum, a recipe sets the key of one objective, and the others inherit the value.
 */
static const char *const shared[] = {"guidance_min", "guidance_max", "sigma_init", "mid_time",
                                     "mid_share"};

static bool is_given(const struct few_config *c, const struct few_config_objective *o,
                     const char *key) {
  char full[80];
  snprintf(full, sizeof full, "%s%s", o->prefix, key);
  return few__recipe_value(&c->recipe, full) != NULL;
}

/* Copies the value that the recipe gives to the objective that has none. Two given values, or two
 * defaults, must agree. */
static few_status copy_shared(few_ctx *ctx, const struct few_config *c, const char *key,
                              const struct few_config_objective *from,
                              const struct few_config_objective *to) {
  const struct few_option *a = few_option_find(from->def->options, key);
  const struct few_option *b = few_option_find(to->def->options, key);
  const bool ask = is_given(c, from, key) == is_given(c, to, key);
  struct few_text is = {0}, was = {0};
  few__option_format(ctx, a, from->opts, &is);
  few__option_format(ctx, b, to->opts, &was);
  few_status st =
      is.failed || was.failed ? few__fail(ctx, FEW_E_MEMORY, "out of memory: options") : FEW_OK;
  if (!st && ask && strcmp(is.at, was.at) != 0)
    st = few__fail(ctx, FEW_E_INVALID,
                   "%s: %s%s = %s and %s%s = %s%s, but the student has one value: give only one of "
                   "the two keys, which then applies to both",
                   c->recipe.place, from->prefix, key, is.at, to->prefix, key, was.at,
                   is_given(c, to, key) ? "" : " by default");
  if (!st) st = few_option_set(to->opts, ctx, to->def->options, key, is.at);
  few__text_free(ctx, &is);
  few__text_free(ctx, &was);
  return st;
}

static few_status share(few_ctx *ctx, struct few_config *c, const char *key) {
  const struct few_config_objective *from = NULL;
  for (int i = 0; i < c->n_objectives; i++) {
    const struct few_config_objective *o = &c->objective[i];
    if (!few_option_find(o->def->options, key)) continue;
    if (!from || (is_given(c, o, key) && !is_given(c, from, key))) from = o;
  }
  for (int i = 0; from && i < c->n_objectives; i++) {
    struct few_config_objective *o = &c->objective[i];
    if (o != from && few_option_find(o->def->options, key))
      FEW_TRY(copy_shared(ctx, c, key, from, o));
  }
  return FEW_OK;
}

few_status few__config_objective_options(few_ctx *ctx, struct few_config *c) {
  for (int i = 0; i < c->n_objectives; i++) {
    struct few_config_objective *o = &c->objective[i];
    FEW_TRY(i ? few__recipe_apply_prefixed(ctx, &c->recipe, o->prefix, o->def->options, o->opts)
              : few__recipe_apply(ctx, &c->recipe, o->def->options, o->opts));
  }
  for (int k = 0; k < FEW_COUNT(shared); k++) FEW_TRY(share(ctx, c, shared[k]));
  gather(c);
  if (c->needs_teacher && !c->keys.teacher[0])
    return few__fail(ctx, FEW_E_INVALID,
                     "%s: objective %s distils a teacher: give teacher = MODEL.safetensors",
                     c->recipe.place, c->keys.objective);
  return FEW_OK;
}

few_status few__config_objective_text(few_ctx *ctx, const struct few_config *c,
                                      struct few_text *out) {
  for (int i = 0; i < c->n_objectives; i++) {
    const struct few_config_objective *o = &c->objective[i];
    few__recipe_put_section(ctx, out, i ? o->def->name : "objective");
    FEW_TRY(few__recipe_put_options(ctx, out, o->prefix, o->def->options, o->opts));
  }
  return FEW_OK;
}
