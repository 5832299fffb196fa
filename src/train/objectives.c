/* objectives.c - what a run is trained for: one objective, or several whose losses are added.
 *
 *   objective = scd + vsd      the options of the second are vsd.weight, vsd.p_mean ...
 *
 * Names with one + between: what is anything else is refused, for one of the two may be a slip.
 */
#include <math.h>
#include <stdio.h>

#include "pairs.h"

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
    if (d->step_size != first->step_size)
      why = "their students take the size of a step in different forms";
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

/* ---- options that are the student's ----
 *
 * The student's inputs and what it starts from are one for all losses of a sum: a strength of
 * guidance that means one thing to scd and another to vsd, or images from another noise, would
 * be another student. Each objective has these keys, for it may stand alone; in a sum they have one
 * value. The recipe gives it to any of them, and the others inherit it.
 */
static const char *const shared[] = {"guidance_min", "guidance_max", "sigma_init", "mid_time",
                                     "mid_share"};

static bool is_given(const struct few_run_recipe *r, const struct few_run_objective *o,
                     const char *key) {
  char full[80];
  snprintf(full, sizeof full, "%s%s", o->prefix, key);
  return few__recipe_value(&r->recipe, full) != NULL;
}

/* Two given values, or two defaults where none is given, must agree. */
static few_status copy_shared(few_ctx *ctx, const struct few_run_recipe *r, const char *key,
                              const struct few_run_objective *from,
                              const struct few_run_objective *to) {
  const struct few_option *a = few__option_find(from->def->options, key);
  const struct few_option *b = few__option_find(to->def->options, key);
  const bool ask = is_given(r, from, key) == is_given(r, to, key);
  struct few_text is = {0}, was = {0};
  few__option_format(ctx, a, from->opts, &is);
  few__option_format(ctx, b, to->opts, &was);
  few_status st =
      is.failed || was.failed ? few__fail(ctx, FEW_E_MEMORY, "out of memory: options") : FEW_OK;
  if (!st && ask && strcmp(is.at, was.at) != 0)
    st = few__fail(ctx, FEW_E_INVALID,
                   "%s: %s%s = %s and %s%s = %s%s, but the student has one value: give one of the "
                   "two keys, and it holds for both",
                   r->recipe.place, from->prefix, key, is.at, to->prefix, key, was.at,
                   is_given(r, to, key) ? "" : " by default");
  if (!st) st = few__option_set(ctx, to->def->options, to->opts, key, is.at);
  few__text_free(ctx, &is);
  few__text_free(ctx, &was);
  return st;
}

static few_status share(few_ctx *ctx, struct few_run_recipe *r, const char *key) {
  const struct few_run_objective *from = NULL;
  for (int i = 0; i < r->n_objectives; i++) {
    const struct few_run_objective *o = &r->objective[i];
    if (!few__option_find(o->def->options, key)) continue;
    if (!from || (is_given(r, o, key) && !is_given(r, from, key))) from = o;
  }
  for (int i = 0; from && i < r->n_objectives; i++) {
    struct few_run_objective *o = &r->objective[i];
    if (o != from && few__option_find(o->def->options, key))
      FEW_TRY(copy_shared(ctx, r, key, from, o));
  }
  return FEW_OK;
}

few_status few__run_objective_options(few_ctx *ctx, struct few_run_recipe *r) {
  for (int i = 0; i < r->n_objectives; i++) {
    struct few_run_objective *o = &r->objective[i];
    FEW_TRY(i ? few__recipe_apply_prefixed(ctx, &r->recipe, o->prefix, o->def->options, o->opts)
              : few__recipe_apply(ctx, &r->recipe, o->def->options, o->opts));
  }
  for (int k = 0; k < FEW_COUNT(shared); k++) FEW_TRY(share(ctx, r, shared[k]));
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

/* Guidance is that of the objectives that have any, or of the pairs that they learn from, or else
 * that of the teacher's input, which the student then inherits with its range. */
static few_status choose_guidance(few_ctx *ctx, struct few_run_recipe *r) {
  const few_model *t = r->teacher;
  r->guidance_min = r->guidance_max = r->needs_pairs ? r->keys.pairs_guidance : 1;
  for (int i = 0; i < r->n_objectives; i++) {
    if (!r->objective[i].def->guides) continue;
    const struct few_guidance_opts *of = r->objective[i].opts; /* shared */
    r->guidance_min = of->guidance_min;
    r->guidance_max = of->guidance_max;
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
  if ((of->guidance_min == 1 && of->guidance_max == 1) || fit->teacher->guidance) return FEW_OK;
  if (fit->teacher->classes) {
    char why[96];
    few__print(why, sizeof why, "%s: guidance %g to %g", o->def->name, of->guidance_min,
               of->guidance_max);
    return few__net_check_unconditional(ctx, fit->teacher, "the teacher", why);
  }
  return few__fail(ctx, FEW_E_INVALID,
                   "%s: the teacher has no labels, so it cannot be guided: leave guidance_min and "
                   "guidance_max at 1",
                   o->def->name);
}

/* The recipe's dropout is that of all networks that the run trains. */
static few_status copy_dropout(few_ctx *ctx, const struct few_run_recipe *r, void *opts) {
  const struct few_option *from = few__option_find(r->net->options, "dropout");
  if (!few__option_find(r->teacher->net->options, "dropout")) return FEW_OK;
  struct few_text value = {0};
  if (from)
    few__option_format(ctx, from, r->net_opts, &value);
  else
    few__text_add(ctx, &value, "0");
  few_status st = value.failed
                      ? few__fail(ctx, FEW_E_MEMORY, "out of memory: options")
                      : few__option_set(ctx, r->teacher->net->options, opts, "dropout", value.at);
  few__text_free(ctx, &value);
  return st;
}

/* The fake network is the teacher's, and is told the strength where the student is: what it learns
 * is the student's distribution for each. */
static few_status declare_fake(few_ctx *ctx, struct few_run_recipe *r) {
  bool wanted = false;
  for (int i = 0; i < r->n_objectives; i++) wanted |= r->objective[i].def->build_fake != NULL;
  if (!wanted) return FEW_OK;
  assert(r->teacher);
  const struct few_net_def *net = r->teacher->net;
  struct few_net_spec spec = r->teacher->spec;
  void *opts;
  spec.guidance |= r->spec.guidance;
  FEW_TRY(few__new(ctx, &opts, 1, net->options_size));
  memcpy(opts, r->teacher->net_opts, net->options_size);
  few_status st = copy_dropout(ctx, r, opts);
  if (!st) st = few__model_declare(ctx, &r->fake, net, opts, &spec);
  few__free(ctx, opts);
  return st;
}

/* The first objective says how the student is told a step. A teacher that has to be told is no
 * field to distil. */
static few_status choose_step_size(few_ctx *ctx, struct few_run_recipe *r) {
  const struct few_run_objective *o = &r->objective[0];
  r->spec.step_size = o->def->step_size;
  r->spec.max_steps = o->def->max_steps ? o->def->max_steps(o->opts) : 0;
  if (!r->needs_teacher || !r->teacher || r->teacher->spec.step_size == FEW_STEP_SIZE_NONE)
    return FEW_OK;
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

/* Every loss has to give the student the strength that it takes. */
static few_status check_strength(few_ctx *ctx, const struct few_run_recipe *r,
                                 const struct few_objective_def *def) {
  if (!r->spec.guidance || def->needs_teacher) return FEW_OK;
  if (r->n_objectives > 1)
    return few__fail(
        ctx, FEW_E_INVALID,
        "%s: the student takes a guidance strength of %g to %g as an input, and %s has "
        "none to tell: give guidance_min and guidance_max one value, or leave %s out",
        r->recipe.place, r->guidance_min, r->guidance_max, def->name, def->name);
  return few__fail(ctx, FEW_E_INVALID,
                   "%s: the teacher takes a guidance strength as an input, and this objective "
                   "has none to tell: start from another teacher, or from none",
                   def->name);
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
                   r->teacher->direction == FEW_ENCODES ? "images to noise" : "noise to images",
                   r->teacher->objective);
}

/* A consistency model's F points to the image at the end of the flow, not along it. */
static few_status check_field(few_ctx *ctx, const struct few_run_recipe *r) {
  if (!r->needs_teacher || !r->teacher || r->needs_pairs) return FEW_OK;
  if (r->teacher->direction != FEW_BOTH_WAYS) return FEW_OK; /* check_direction */
  if (few__model_has_field(r->teacher)) return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID,
                   "teacher %s has learned the jumps of %s and no field (it was trained by %s): "
                   "give the teacher that it had; init = %s starts the student with its weights",
                   r->keys.teacher, r->teacher->sampler, r->teacher->objective, r->keys.teacher);
}

/* Rows without their label: how many, and whether the teacher can be asked about them. */
static few_status choose_dropout(few_ctx *ctx, struct few_run_recipe *r) {
  double *dropout = &r->keys.label_dropout;
  struct few_use use = {.sampler = NULL};
  bool drops = false;
  for (int i = 0; i < r->n_objectives; i++) {
    const struct few_run_objective *o = &r->objective[i];
    const struct few_clock at = few__run_clock(r, 0, 1);
    drops |= o->def->drops_labels;
    if (o->def->use) o->def->use(o->opts, &at, r->spec.sigma_data, &use);
  }
  if (*dropout < 0) *dropout = drops && r->spec.classes ? 0.1 : 0;
  if (!r->spec.classes) return FEW_OK;
  r->spec.unlabelled = *dropout > 0 || use.unlabelled ? FEW_UNLABELLED_YES : FEW_UNLABELLED_NO;
  if (*dropout >= 1)
    return few__fail(ctx, FEW_E_INVALID,
                     "%s: label_dropout = 1 leaves no row its label: give less, or labels = no",
                     r->recipe.place);
  if (*dropout <= 0 || !r->needs_teacher || r->needs_pairs) return FEW_OK;
  return few__net_check_unconditional(ctx, &r->teacher->spec, "the teacher", "label_dropout");
}

/* The time at which an objective has its student sampled first. */
static double start_of(const struct few_run_recipe *r, const struct few_run_objective *o) {
  const struct few_clock at = few__run_clock(r, 0, 1);
  struct few_use use = {.sampler = NULL};
  if (o->def->use) o->def->use(o->opts, &at, r->spec.sigma_data, &use);
  return use.n_times ? use.times[0] : atan(80 / r->spec.sigma_data); /* schedule.h */
}

/* The first objective says how the student is sampled. A generator that is added and makes its
 * images from other noise improves images that nobody draws. */
static void warn_of_start(few_ctx *ctx, const struct few_run_recipe *r) {
  const double first = start_of(r, &r->objective[0]);
  for (int i = 1; i < r->n_objectives; i++) {
    const struct few_run_objective *o = &r->objective[i];
    const double t = start_of(r, o);
    if (o->def->use && fabs(t - first) > 1e-12)
      few__log(ctx, FEW_LOG_WARN,
               "%s: %s makes images from noise at t = %.4f, and the student is sampled from t = "
               "%.4f on, as %s has it: give another %ssigma_init, or put %s first",
               r->recipe.place, o->def->name, t, first, r->objective[0].def->name, o->prefix,
               o->def->name);
  }
}

few_status few__run_objective_fit(few_ctx *ctx, struct few_run_recipe *r) {
  const struct few_fit fit = {.student = &r->spec,
                              .teacher = r->teacher ? &r->teacher->spec : NULL,
                              .steps = r->keys.steps,
                              .batch = r->keys.batch,
                              .shards = r->keys.shards};
  FEW_TRY(choose_dropout(ctx, r));
  FEW_TRY(choose_guidance(ctx, r));
  FEW_TRY(choose_step_size(ctx, r));
  FEW_TRY(check_start(ctx, r));
  FEW_TRY(check_direction(ctx, r));
  FEW_TRY(check_field(ctx, r));
  for (int i = 0; i < r->n_objectives; i++) {
    const struct few_run_objective *o = &r->objective[i];
    FEW_TRY(check_strength(ctx, r, o->def));
    if (o->def->check) FEW_TRY(o->def->check(ctx, o->opts, &fit));
    FEW_TRY(check_guidance(ctx, o, &fit));
  }
  warn_of_start(ctx, r);
  FEW_TRY(declare_fake(ctx, r));
  if (r->needs_pairs) FEW_TRY(few__pairs_check(ctx, r));
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
