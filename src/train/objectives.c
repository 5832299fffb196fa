/* objectives.c - what a run is trained for: one objective, or several whose losses are added.
 *
 *   objective = scd + vsd      the options of the second are vsd.weight, vsd.p_mean ...
 *
 * Names with one + between: what is anything else is refused, for one of the two may be a slip.
 */
#include <stdio.h>

#include "recipe.h"

static few_status add(few_ctx *ctx, struct few_run_recipe *r, const char *name, size_t n) {
  struct few_run_objective *o = &r->objective[r->n_objectives];
  char copy[32];
  snprintf(copy, sizeof copy, "%.*s", (int)(n < sizeof copy ? n : sizeof copy - 1), name);
  if (!n)
    return few__fail(ctx, FEW_E_INVALID,
                     "%s: objective = %s: write names with + between, as in scd + vsd",
                     r->recipe.place, r->keys.objective);
  if (r->n_objectives == FEW_MAX_OBJECTIVES)
    return few__fail(ctx, FEW_E_INVALID, "%s: objective = %s: at most %d can be added",
                     r->recipe.place, r->keys.objective, FEW_MAX_OBJECTIVES);
  o->def = few__objective_find(copy);
  if (!o->def)
    return few__fail(ctx, FEW_E_INVALID,
                     "%s: objective = %s: there is none of that name: see `few list objectives`",
                     r->recipe.place, copy);
  for (int i = 0; i < r->n_objectives; i++)
    if (r->objective[i].def == o->def)
      return few__fail(ctx, FEW_E_INVALID, "%s: objective %s stands there twice", r->recipe.place,
                       copy);
  if (r->n_objectives++) snprintf(o->prefix, sizeof o->prefix, "%.30s.", copy);
  FEW_TRY(few__new(ctx, &o->opts, 1, o->def->options_size));
  return few__options_default(ctx, o->def->options, o->opts);
}

static void gather(struct few_run_recipe *r) {
  for (int i = 0; i < r->n_objectives; i++) {
    const struct few_objective_def *def = r->objective[i].def;
    r->needs_teacher |= def->needs_teacher || def->build_fake || def->pairs;
    r->needs_pairs |= def->pairs;
    if (r->target == FEW_TARGET_NONE) r->target = def->target;
  }
}

/* The objective before number `n` that has a target; NULL: none. */
static const struct few_objective_def *with_target(const struct few_run_recipe *r, int n) {
  for (int i = 0; i < n; i++)
    if (r->objective[i].def->target != FEW_TARGET_NONE) return r->objective[i].def;
  return NULL;
}

/* One student has one target, one second time and one kind of data. */
static few_status check_sum(few_ctx *ctx, const struct few_run_recipe *r) {
  const struct few_objective_def *first = r->objective[0].def;
  for (int i = 1; i < r->n_objectives; i++) {
    const struct few_objective_def *d = r->objective[i].def;
    const struct few_objective_def *other = first;
    const char *why = NULL;
    if (d->classifies || first->classifies) why = "a classifier's loss stands alone";
    if (d->span != first->span) why = "they do not tell the student the same of a step's length";
    if (d->pairs != first->pairs) why = "one wants the data, the other the teacher's pairs";
    if (d->stages && !first->stages) why = "the second has stages: put it first";
    if (!why && d->target != FEW_TARGET_NONE && with_target(r, i)) {
      other = with_target(r, i);
      why = "each has a target network that moves in its own way";
    }
    if (why)
      return few__fail(ctx, FEW_E_INVALID, "%s: %s and %s cannot be added: %s", r->recipe.place,
                       other->name, d->name, why);
  }
  return FEW_OK;
}

few_status few__run_objectives(few_ctx *ctx, struct few_run_recipe *r) {
  for (const char *at = r->keys.objective;; at++) {
    at += strspn(at, " ");
    size_t n = strcspn(at, "+"), name = n;
    while (name && at[name - 1] == ' ') name--;
    FEW_TRY(add(ctx, r, at, name));
    at += n;
    if (!*at) break;
  }
  gather(r);
  FEW_TRY(check_sum(ctx, r));
  if (r->needs_teacher && !r->keys.teacher[0])
    return few__fail(ctx, FEW_E_INVALID,
                     "%s: objective %s distils a teacher: give teacher = MODEL.safetensors",
                     r->recipe.place, r->keys.objective);
  return few__balancer_find(ctx, &r->balance, r->keys.balance);
}

few_status few__run_objective_options(few_ctx *ctx, struct few_run_recipe *r) {
  for (int i = 0; i < r->n_objectives; i++) {
    struct few_run_objective *o = &r->objective[i];
    FEW_TRY(i ? few__recipe_apply_prefixed(ctx, &r->recipe, o->prefix, o->def->options, o->opts)
              : few__recipe_apply(ctx, &r->recipe, o->def->options, o->opts));
  }
  return FEW_OK;
}

few_status few__run_objective_text(few_ctx *ctx, const struct few_run_recipe *r,
                                   struct few_text *out) {
  for (int i = 0; i < r->n_objectives; i++) {
    const struct few_run_objective *o = &r->objective[i];
    few__recipe_put_section(ctx, out, i ? o->def->name : "objective");
    FEW_TRY(few__recipe_put_options(ctx, out, o->prefix, o->def->options, o->opts));
  }
  return FEW_OK;
}

/* ---- what they ask of the student ---- */

/* Guidance is the first objective's that asks for any, or else that of the teacher's input, which
 * the student then inherits with its range. */
static few_status choose_guidance(few_ctx *ctx, struct few_run_recipe *r) {
  const few_model *t = r->teacher;
  r->guidance_min = r->guidance_max = 1;
  for (int i = 0; i < r->n_objectives; i++) {
    const struct few_run_objective *o = &r->objective[i];
    if (!o->def->guides) continue;
    const struct few_guidance_opts *of = o->opts;
    r->guidance_min = of->guidance_min;
    r->guidance_max = of->guidance_max;
    if (r->guidance_min != 1 || r->guidance_max != 1) break;
  }
  if (t && t->spec.guidance && r->guidance_min == 1 && r->guidance_max == 1) {
    r->guidance_min = t->guidance_min;
    r->guidance_max = t->guidance_max;
  }
  r->spec.guidance = r->guidance_max > r->guidance_min;
  if (!t || !t->spec.guidance) return FEW_OK;
  if (r->guidance_min >= t->guidance_min && r->guidance_max <= t->guidance_max) return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID, "teacher %s knows guidance %g to %g, not %g to %g",
                   r->keys.teacher, t->guidance_min, t->guidance_max, r->guidance_min,
                   r->guidance_max);
}

/* Refuse a guidance that the teacher cannot give. */
static few_status check_guidance(few_ctx *ctx, const struct few_run_objective *o,
                                 const struct few_fit *fit) {
  const struct few_guidance_opts *of = o->opts;
  if (!o->def->guides) return FEW_OK;
  assert(fit->teacher); /* whose guidance it is: few__run_objectives has seen to that */
  if (of->guidance_max < of->guidance_min)
    return few__fail(ctx, FEW_E_INVALID, "%s: guidance_max %g is below guidance_min %g",
                     o->def->name, of->guidance_max, of->guidance_min);
  if (fit->teacher->classes || (of->guidance_min == 1 && of->guidance_max == 1)) return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID,
                   "%s: the teacher has no labels, so it cannot be guided: leave guidance_min and "
                   "guidance_max at 1",
                   o->def->name);
}

/* The fake network is the teacher's, and is told the strength where the student is: what it learns
 * is the student's distribution for each. */
static few_status declare_fake(few_ctx *ctx, struct few_run_recipe *r) {
  bool wanted = false;
  for (int i = 0; i < r->n_objectives; i++) wanted |= r->objective[i].def->build_fake != NULL;
  if (!wanted) return FEW_OK;
  assert(r->teacher);
  struct few_net_spec spec = r->teacher->spec;
  spec.guidance |= r->spec.guidance;
  return few__model_declare(ctx, &r->fake, r->teacher->net, r->teacher->net_opts, &spec);
}

/* The first objective says how the student is told a step. A teacher that has to be told is no
 * field to distil. */
static few_status choose_span(few_ctx *ctx, struct few_run_recipe *r) {
  const struct few_run_objective *o = &r->objective[0];
  r->spec.span = o->def->span;
  r->spec.span_steps = o->def->span_steps ? o->def->span_steps(o->opts) : 0;
  if (!r->needs_teacher || !r->teacher || r->teacher->spec.span == FEW_SPAN_NONE) return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID,
                   "teacher %s gives steps and no field (it was trained by %s): give one that was "
                   "trained by diffusion",
                   r->keys.teacher, r->teacher->objective);
}

/* The first option in which two networks of one kind differ, but for dropout. */
static few_status differing(few_ctx *ctx, const struct few_run_recipe *r, const char **key) {
  const struct few_option *o = r->net->options;
  for (*key = NULL; o->key && !*key; o++) {
    struct few_text a = {0}, b = {0};
    few__option_format(ctx, o, r->net_opts, &a);
    few__option_format(ctx, o, r->teacher->net_opts, &b);
    const bool failed = a.failed || b.failed;
    if (!failed && strcmp(o->key, "dropout") != 0 &&
        strcmp(a.at ? a.at : "", b.at ? b.at : "") != 0)
      *key = o->key;
    few__text_free(ctx, &a);
    few__text_free(ctx, &b);
    if (failed) return few__fail(ctx, FEW_E_MEMORY, "out of memory: options");
  }
  return FEW_OK;
}

/* The first target of a run with stages is the student as it starts, which must be the teacher. */
static few_status check_start(few_ctx *ctx, const struct few_run_recipe *r) {
  const char *key = NULL;
  if (r->target != FEW_TARGET_STAGE || !r->teacher) return FEW_OK;
  if (strcmp(r->keys.init, "teacher") != 0) key = "init";
  if (r->teacher->spec.predicts != r->spec.predicts) key = "prediction";
  if (r->teacher->net != r->net) key = "net";
  if (!key) FEW_TRY(differing(ctx, r, &key));
  if (!key) return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID,
                   "objective %s starts as its teacher, in all that the network is: leave out %s",
                   r->keys.objective, key);
}

/* A teacher of steps that go one way can be halved further, or make pairs; it has no field. */
static few_status check_direction(few_ctx *ctx, const struct few_run_recipe *r) {
  const struct few_run_objective *o = &r->objective[0];
  const struct few_clock at = few__run_clock(r, 0, 1);
  struct few_use use = {.sampler = NULL};
  if (!r->needs_teacher || !r->teacher || r->teacher->direction == FEW_BOTH_WAYS) return FEW_OK;
  if (o->def->use) o->def->use(o->opts, &at, r->spec.sigma_data, &use);
  const bool same = use.encodes == (r->teacher->direction == FEW_ENCODES);
  if (same && (r->target == FEW_TARGET_STAGE || r->needs_pairs)) return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID,
                   "teacher %s has learned steps from %s alone (it was trained by %s): give the "
                   "teacher that it had",
                   r->keys.teacher,
                   r->teacher->direction == FEW_ENCODES ? "pictures to noise" : "noise to pictures",
                   r->teacher->objective);
}

few_status few__run_objective_fit(few_ctx *ctx, struct few_run_recipe *r) {
  const struct few_fit fit = {.student = &r->spec,
                              .teacher = r->teacher ? &r->teacher->spec : NULL,
                              .steps = r->keys.steps,
                              .batch = r->keys.batch,
                              .shards = r->keys.shards,
                              .label_dropout = r->keys.label_dropout};
  FEW_TRY(choose_guidance(ctx, r));
  FEW_TRY(choose_span(ctx, r));
  FEW_TRY(check_start(ctx, r));
  FEW_TRY(check_direction(ctx, r));
  for (int i = 0; i < r->n_objectives; i++) {
    const struct few_run_objective *o = &r->objective[i];
    if (o->def->check) FEW_TRY(o->def->check(ctx, o->opts, &fit));
    FEW_TRY(check_guidance(ctx, o, &fit));
  }
  FEW_TRY(declare_fake(ctx, r));
  const int stages = few__run_clock(r, 0, 1).stages;
  if (r->keys.steps % stages == 0) return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID,
                   "%s: steps = %lld cannot be cut into the %d stages of objective %s: take a "
                   "multiple of %d",
                   r->recipe.place, (long long)r->keys.steps, stages, r->keys.objective, stages);
}

struct few_clock few__run_clock(const struct few_run_recipe *r, int64_t step, double stretch) {
  const struct few_run_objective *o = &r->objective[0];
  const int stages = o->def->stages ? o->def->stages(o->opts) : 1;
  const int64_t each = r->keys.steps / stages;
  int stage = each > 0 ? (int)(step / each) : 0;
  if (stage >= stages) stage = stages - 1;
  return (struct few_clock){step, r->keys.steps, stage, stages, step - stage * each, each, stretch};
}

/* After the last step of a stage the student is still that stage's. */
few_status few__run_use(const struct few_run_recipe *r, int64_t step, few_model *m) {
  const struct few_run_objective *o = &r->objective[0];
  const struct few_clock at = few__run_clock(r, step > 0 ? step - 1 : 0, 1);
  struct few_use use = {.sampler = o->def->sampler};
  if (o->def->use) o->def->use(o->opts, &at, m->spec.sigma_data, &use);
  snprintf(m->sampler, sizeof m->sampler, "%s", use.sampler);
  m->direction = use.encodes ? FEW_ENCODES : use.one_way ? FEW_DECODES : FEW_BOTH_WAYS;
  return few_model_set_times(m, use.n_times, use.times);
}
