/* fit.c - checks that the objectives, the teacher and the student of a run fit together.
 *
 * The objectives decide what the student takes as inputs (guidance scale, step size), which
 * networks are trained beside it, and how it is sampled.
 */
#include <math.h>
#include <stdio.h>

#include "data/augment.h"
#include "diffusion/process/process.h"
#include "model/run/sample.h"
#include "pairs.h"

/* The student's guidance range is that of the objectives, or of the pairs if no objective has one.
 * If that is 1 and the teacher has a guidance input, it is the teacher's range. */
static few_status choose_guidance(few_ctx *ctx, struct few_setup *setup) {
  const few_model *t = setup->teacher;
  setup->guidance_min = setup->guidance_max =
      setup->config.needs_pairs ? setup->config.keys.pairs_guidance : 1;
  for (int i = 0; i < setup->config.n_objectives; i++) {
    if (!setup->config.objective[i].def->guides) continue;
    const struct few_guidance_opts *of = setup->config.objective[i].opts; /* shared */
    setup->guidance_min = of->guidance_min;
    setup->guidance_max = of->guidance_max;
  }
  if (t && t->spec.guidance && setup->guidance_min == 1 && setup->guidance_max == 1) {
    setup->guidance_min = t->guidance_min;
    setup->guidance_max = t->guidance_max;
  }
  setup->spec.guidance = setup->guidance_max > setup->guidance_min;
  if (!t || !t->spec.guidance) return FEW_OK;
  if (setup->guidance_min >= t->guidance_min && setup->guidance_max <= t->guidance_max)
    return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID, "teacher %s was trained for guidance %g to %g, not %g to %g",
                   setup->config.keys.teacher, t->guidance_min, t->guidance_max,
                   setup->guidance_min, setup->guidance_max);
}

/* FEW_E_INVALID for a guidance range that the teacher does not have. */
static few_status check_guidance(few_ctx *ctx, const struct few_config_objective *o,
                                 const struct few_fit *fit) {
  const struct few_guidance_opts *of = o->opts;
  if (!o->def->guides || !few__config_evaluates_teacher(o)) return FEW_OK;
  assert(fit->teacher); /* checked by few__config_objective_options */
  if (of->guidance_max < of->guidance_min)
    return few__fail(ctx, FEW_E_INVALID, "%s: guidance_max %g is below guidance_min %g",
                     o->def->name, of->guidance_max, of->guidance_min);
  if ((of->guidance_min == 1 && of->guidance_max == 1) || fit->teacher->guidance) return FEW_OK;
  if (fit->teacher->classes) {
    char why[96];
    few__print(why, sizeof why, "%s: guidance %g to %g", o->def->name, of->guidance_min,
               of->guidance_max);
    return few_net_check_unconditional(ctx, fit->teacher, "the teacher", why);
  }
  return few__fail(ctx, FEW_E_INVALID,
                   "%s: the teacher has no labels, so it cannot be guided: leave guidance_min and "
                   "guidance_max at 1",
                   o->def->name);
}

/* The recipe's dropout applies to all networks that the run trains. */
static few_status copy_dropout(few_ctx *ctx, const struct few_setup *setup, void *opts) {
  const struct few_option *from = few_option_find(setup->net->options, "dropout");
  if (!few_option_find(setup->teacher->net->options, "dropout")) return FEW_OK;
  struct few_text value = {0};
  if (from)
    few__option_format(ctx, from, setup->net_opts, &value);
  else
    few__text_add(ctx, &value, "0");
  few_status st =
      value.failed ? few__fail(ctx, FEW_E_MEMORY, "out of memory: options")
                   : few_option_set(opts, ctx, setup->teacher->net->options, "dropout", value.at);
  few__text_free(ctx, &value);
  return st;
}

/* The fake network has the teacher's architecture. It takes the guidance scale if the student does,
 * since it learns the student's distribution for each scale. */
static few_status declare_fake(few_ctx *ctx, struct few_setup *setup) {
  bool wanted = false;
  for (int i = 0; i < setup->config.n_objectives; i++)
    wanted |= setup->config.objective[i].def->build_fake != NULL;
  if (!wanted) return FEW_OK;
  assert(setup->teacher);
  const struct few_net_def *net = setup->teacher->net;
  struct few_net_spec spec = setup->teacher->spec;
  void *opts;
  spec.guidance |= setup->spec.guidance;
  spec.augment = 0; /* its images are never augmented */
  FEW_TRY(few__new(ctx, &opts, 1, net->options_size));
  memcpy(opts, setup->teacher->net_opts, net->options_size);
  few_status st = copy_dropout(ctx, setup, opts);
  if (!st) st = few__model_declare(ctx, &setup->fake, net, opts, &spec);
  few__free(ctx, opts);
  return st;
}

/* The first objective decides in which form the student takes the step size. A teacher that takes a
 * step size has learned jumps, so it has no velocity field to distil. */
static few_status choose_step_size(few_ctx *ctx, struct few_setup *setup) {
  const struct few_config_objective *o = &setup->config.objective[0];
  setup->spec.step_size = o->def->step_size;
  setup->spec.max_steps = o->def->max_steps ? o->def->max_steps(o->opts) : 0;
  if (!setup->config.needs_teacher || !setup->teacher ||
      setup->teacher->spec.step_size == FEW_STEP_SIZE_NONE)
    return FEW_OK;
  return few__fail(
      ctx, FEW_E_INVALID,
      "teacher %s learned jumps, so it has no velocity field (it was trained by %s): give one "
      "that was trained by diffusion",
      setup->config.keys.teacher, setup->teacher->objective);
}

/* The first option, except dropout, in which student and teacher of one architecture differ. */
static few_status differing(few_ctx *ctx, const struct few_setup *setup, const char **key) {
  const struct few_option *o = setup->net->options;
  for (*key = NULL; o->key && !*key; o++) {
    struct few_text a = {0}, b = {0};
    few__option_format(ctx, o, setup->net_opts, &a);
    few__option_format(ctx, o, setup->teacher->net_opts, &b);
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

/* In a run with stages the student's first target is its own copy at the start, which must be the
 * teacher. */
static few_status check_start(few_ctx *ctx, const struct few_setup *setup) {
  const char *key = NULL;
  if (setup->config.target != FEW_TARGET_STAGE || !setup->teacher) return FEW_OK;
  if (strcmp(setup->config.keys.init, "teacher") != 0) key = "init";
  if (setup->teacher->spec.predicts != setup->spec.predicts) key = "prediction";
  if (setup->teacher->net != setup->net) key = "net";
  if (!key) FEW_TRY(differing(ctx, setup, &key));
  if (!key) return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID, "objective %s starts as a copy of its teacher: leave out %s",
                   setup->config.keys.objective, key);
}

/* A student with a guidance input needs losses that feed that input, and a guidance scale needs a
 * teacher to guide. */
static few_status check_feeds_guidance(few_ctx *ctx, const struct few_setup *setup,
                                       const struct few_config_objective *o) {
  const struct few_objective_def *def = o->def;
  const struct few_guidance_opts *of = o->opts;
  if (few__config_evaluates_teacher(o)) return FEW_OK;
  if (def->guides && (of->guidance_min != 1 || of->guidance_max != 1))
    return few__fail(ctx, FEW_E_INVALID,
                     "%s: with these options it evaluates no teacher that could be guided: leave "
                     "guidance_min and guidance_max at 1",
                     def->name);
  if (!setup->spec.guidance) return FEW_OK;
  if (setup->config.n_objectives > 1)
    return few__fail(ctx, FEW_E_INVALID,
                     "%s: the student takes a guidance scale of %g to %g as an input, and %s does "
                     "not feed it: give guidance_min and guidance_max one value, or leave %s out",
                     setup->config.recipe.place, setup->guidance_min, setup->guidance_max,
                     def->name, def->name);
  return few__fail(ctx, FEW_E_INVALID,
                   "%s: the teacher takes a guidance scale as an input, and this objective does "
                   "not feed it: start from another teacher, or from none",
                   def->name);
}

/* A teacher that steps in one direction only has no velocity field. Its number of steps can be
 * halved further, and it can make pairs. */
static few_status check_direction(few_ctx *ctx, const struct few_setup *setup) {
  const struct few_config_objective *o = &setup->config.objective[0];
  const struct few_clock at = few__config_clock(&setup->config, 0, 1);
  struct few_use use = {.sampler = NULL};
  if (!setup->config.needs_teacher || !setup->teacher || setup->teacher->direction == FEW_BOTH_WAYS)
    return FEW_OK;
  if (o->def->use) o->def->use(&use, o->opts, &at, setup->spec.sigma_data);
  const bool same = use.encodes == (setup->teacher->direction == FEW_ENCODES);
  if (same && (setup->config.target == FEW_TARGET_STAGE || setup->config.needs_pairs))
    return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID,
                   "teacher %s learned only steps from %s (it was trained by %s): give the "
                   "teacher from which it was trained",
                   setup->config.keys.teacher,
                   setup->teacher->direction == FEW_ENCODES ? "images to noise" : "noise to images",
                   setup->teacher->objective);
}

/* The F of a consistency model points to the image at the end of the flow, not along the flow. */
static few_status check_field(few_ctx *ctx, const struct few_setup *setup) {
  if (!setup->config.needs_teacher || !setup->teacher || setup->config.needs_pairs) return FEW_OK;
  if (setup->teacher->direction != FEW_BOTH_WAYS) return FEW_OK; /* check_direction */
  if (few__model_has_field(ctx, setup->teacher)) return FEW_OK;
  return few__fail(
      ctx, FEW_E_INVALID,
      "teacher %s learned the jumps of %s, so it has no velocity field (it was trained "
      "by %s): give the teacher from which it was trained; init = %s starts the "
      "student with its weights",
      setup->config.keys.teacher, setup->teacher->sampler, setup->teacher->objective,
      setup->config.keys.teacher);
}

/* The share of rows that lose their label. A teacher that is evaluated on such rows must have been
 * trained without labels too. */
static few_status choose_dropout(few_ctx *ctx, struct few_setup *setup) {
  double *dropout = &setup->config.keys.label_dropout;
  struct few_use use = {.sampler = NULL};
  bool drops = false;
  for (int i = 0; i < setup->config.n_objectives; i++) {
    const struct few_config_objective *o = &setup->config.objective[i];
    const struct few_clock at = few__config_clock(&setup->config, 0, 1);
    drops |= o->def->drops_labels;
    if (o->def->use) o->def->use(&use, o->opts, &at, setup->spec.sigma_data);
  }
  if (*dropout < 0) *dropout = drops && setup->spec.classes ? 0.1 : 0;
  if (!setup->spec.classes) return FEW_OK;
  setup->spec.unlabelled = *dropout > 0 || use.unlabelled ? FEW_YES : FEW_NO;
  if (*dropout >= 1)
    return few__fail(ctx, FEW_E_INVALID,
                     "%s: label_dropout = 1 drops every label: give less, or labels = no",
                     setup->config.recipe.place);
  if (*dropout <= 0 || !setup->config.needs_teacher || setup->config.needs_pairs) return FEW_OK;
  return few_net_check_unconditional(ctx, &setup->teacher->spec, "the teacher", "label_dropout");
}

/* The time at which sampling starts by this objective. */
static double start_of(const struct few_setup *setup, const struct few_config_objective *o) {
  const struct few_clock at = few__config_clock(&setup->config, 0, 1);
  struct few_use use = {.sampler = NULL};
  if (o->def->use) o->def->use(&use, o->opts, &at, setup->spec.sigma_data);
  return use.n_times ? use.times[0] : few__t_max(setup->spec.sigma_data);
}

/* The first objective decides how the student is sampled. If another objective generates images
 * from another noise level, it improves images that are never sampled. */
static void warn_of_start(few_ctx *ctx, const struct few_setup *setup) {
  const double first = start_of(setup, &setup->config.objective[0]);
  for (int i = 1; i < setup->config.n_objectives; i++) {
    const struct few_config_objective *o = &setup->config.objective[i];
    const double t = start_of(setup, o);
    if (o->def->use && fabs(t - first) > 1e-12)
      few__log(
          ctx, FEW_LOG_WARN,
          "%s: %s generates images from noise at t = %.4f, but the student is sampled from t = "
          "%.4f, by %s: give another %ssigma_init, or put %s first",
          setup->config.recipe.place, o->def->name, t, first, setup->config.objective[0].def->name,
          o->prefix, o->def->name);
  }
}

static bool estimates_ratio(const struct few_config *c) {
  for (int i = 0; i < c->n_objectives; i++) {
    const struct few_config_objective *o = &c->objective[i];
    if (o->def->estimates_ratio && o->def->estimates_ratio(o->opts)) return true;
  }
  return false;
}

/* Augmented images need labels wherever a network is evaluated at them. */
static few_status check_augment(few_ctx *ctx, const struct few_setup *setup) {
  const char *place = setup->config.recipe.place;
  const double p = setup->config.keys.augment.p;
  const few_model *t = setup->teacher;
  if (!setup->spec.augment) return FEW_OK;
  const few_status st = few__augment_check(setup->data, &setup->config.keys.augment);
  if (st) return few__fail_in(ctx, st, "%s", place);
  for (int i = 0; i < setup->config.n_objectives; i++) {
    const struct few_objective_def *def = setup->config.objective[i].def;
    if (def->augments) continue;
    return few__fail(ctx, FEW_E_INVALID, "%s: augment = %g: objective %s %s: leave augment out",
                     place, p, def->name,
                     def->classifies ? "trains a network without an input for its labels"
                                     : "does not learn from images of the data alone");
  }
  assert(!setup->config.needs_teacher || t);
  if (setup->config.needs_teacher && t->spec.augment != setup->spec.augment)
    return few__fail(ctx, FEW_E_INVALID,
                     "%s: augment = %g: teacher %s was trained without augmentation, so it has no "
                     "flow to augmented images: leave augment out, or give a teacher that was "
                     "trained with it",
                     place, p, setup->config.keys.teacher);
  if (setup->config.keys.flip)
    few__log(ctx, FEW_LOG_WARN,
             "%s: flip = yes mirrors images without a label, so that samples are mirrored too; "
             "augment also mirrors, with a label",
             place);
  return FEW_OK;
}

few_status few__setup_fit(few_ctx *ctx, struct few_setup *setup) {
  const struct few_fit fit = {.student = &setup->spec,
                              .teacher = setup->teacher ? &setup->teacher->spec : NULL,
                              .steps = setup->config.keys.steps,
                              .batch = setup->config.keys.batch,
                              .shards = setup->config.keys.shards,
                              .estimates_ratio = estimates_ratio(&setup->config)};
  FEW_TRY(check_augment(ctx, setup));
  FEW_TRY(choose_dropout(ctx, setup));
  FEW_TRY(choose_guidance(ctx, setup));
  FEW_TRY(choose_step_size(ctx, setup));
  FEW_TRY(check_start(ctx, setup));
  FEW_TRY(check_direction(ctx, setup));
  FEW_TRY(check_field(ctx, setup));
  for (int i = 0; i < setup->config.n_objectives; i++) {
    const struct few_config_objective *o = &setup->config.objective[i];
    FEW_TRY(check_feeds_guidance(ctx, setup, o));
    if (o->def->check) FEW_TRY(o->def->check(ctx, o->opts, &fit));
    FEW_TRY(check_guidance(ctx, o, &fit));
  }
  warn_of_start(ctx, setup);
  FEW_TRY(declare_fake(ctx, setup));
  return setup->config.needs_pairs ? few__pairs_check(ctx, setup) : FEW_OK;
}

/* After the last step of a stage the student is used as in that stage, not as in the next. */
few_status few__setup_use(const struct few_setup *setup, int64_t step, few_model *m) {
  assert(step >= 0 && m->net == setup->net);
  const struct few_config_objective *o = &setup->config.objective[0];
  const struct few_clock at = few__config_clock(&setup->config, step > 0 ? step - 1 : 0, 1);
  struct few_use use = {.sampler = o->def->sampler};
  if (o->def->use) o->def->use(&use, o->opts, &at, m->spec.sigma_data);
  snprintf(m->sampler, sizeof m->sampler, "%s", use.sampler);
  m->direction = use.encodes ? FEW_ENCODES : use.one_way ? FEW_DECODES : FEW_BOTH_WAYS;
  return few__model_set_times(m, use.n_times, use.times);
}
