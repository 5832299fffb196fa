/* sample_options.c - resolves few_sample_opts for a model: fills in all defaults, and refuses
 * invalid options before the first evaluation.
 */
#include <math.h>
#include <stdio.h>

#include "diffusion/process/vp.h"
#include "olss_file.h"
#include "sample.h"

static const int64_t max_index = (int64_t)1 << 40; /* of a row, base/rng.h */
static const double max_guidance = 1e6;            /* finite in f32 after any product with F */

static few_status check_label(few_ctx *ctx, const few_model *m, int label) {
  int64_t classes = m->spec.classes;
  if (label == FEW_LABEL_EACH || label == FEW_LABEL_NONE || label == FEW_LABEL_SHARES)
    return FEW_OK;
  if (label >= 0 && label < classes) {
    if (!m->class_counts || m->class_counts[label]) return FEW_OK;
    return few__fail(ctx, FEW_E_INVALID,
                     "label %d: there was none of this class in the training data: give another",
                     label);
  }
  if (!classes)
    return few__fail(ctx, FEW_E_INVALID, "label %d: this model has no classes: give no label",
                     label);
  return few__fail(ctx, FEW_E_INVALID, "label %d: this model has classes 0 to %lld", label,
                   (long long)(classes - 1));
}

static few_status check_guidance(few_ctx *ctx, const few_model *m,
                                 const struct few_sample_opts *o) {
  const double s = o->guidance;
  FEW_TRY(few__opts_range(ctx, "guidance", s, 0, max_guidance));
  if (!(o->guidance_from <= o->guidance_to))
    return few__fail(ctx, FEW_E_INVALID, "guidance from t = %g to %g: give the smaller time first",
                     o->guidance_from, o->guidance_to);
  if (m->spec.guidance) {
    bool everywhere = o->guidance_from <= 0 && o->guidance_to >= FEW_PI_2;
    if (!everywhere && (m->guidance_min > 1 || m->guidance_max < 1))
      return few__fail(ctx, FEW_E_INVALID,
                       "guidance only at some times: this model was not trained for guidance 1 (no "
                       "guidance), which it would need at the other times");
    if (s >= m->guidance_min && s <= m->guidance_max) return FEW_OK;
    return few__fail(ctx, FEW_E_INVALID,
                     "guidance %g: this model was trained for guidance %g to %g", s,
                     m->guidance_min, m->guidance_max);
  }
  if (s == 1) return FEW_OK;
  if (m->spec.classes && o->label != FEW_LABEL_NONE) {
    char why[48];
    few__print(why, sizeof why, "guidance %g", s);
    return few_net_check_unconditional(ctx, &m->spec, "this model", why);
  }
  if (!m->spec.classes)
    return few__fail(ctx, FEW_E_INVALID,
                     "guidance %g: this model has no classes, so only guidance 1 is possible", s);
  return few__fail(ctx, FEW_E_INVALID, "guidance %g without a label: give a label, or guidance 1",
                   s);
}

/* Both models must compute F for the same x_t and label and on the same scale, or the difference
 * would be meaningless. */
static few_status check_autoguide(few_ctx *ctx, const few_model *m,
                                  const struct few_sample_opts *o) {
  const few_model *w = o->autoguide ? o->autoguide->m : NULL;
  FEW_TRY(few__opts_range(ctx, "autoguidance", o->autoguidance, 0, max_guidance));
  if (!w) return FEW_OK;
  const struct few_net_spec *a = &m->spec, *b = &w->spec;
  if (o->autoguide->ctx != ctx)
    return few__fail(ctx, FEW_E_INVALID,
                     "the runner of the model that guides has another context: make both with one");
  if (few__model_classifies(w) || a->h != b->h || a->w != b->w || a->c != b->c ||
      a->points != b->points || a->classes != b->classes || a->guidance != b->guidance ||
      a->step_size != b->step_size || a->max_steps != b->max_steps)
    return few__fail(
        ctx, FEW_E_INVALID,
        "the model that guides differs in shape, classes or inputs (%lld x %lld x %lld, %lld "
        "classes%s): give one for the same images, classes and inputs",
        (long long)b->h, (long long)b->w, (long long)b->c, (long long)b->classes,
        b->guidance ? ", a guidance input" : "");
  if (a->sigma_data != b->sigma_data || !few__model_same_scale(m, w))
    return few__fail(ctx, FEW_E_INVALID,
                     "the model that guides was trained on data of another scale: give one trained "
                     "on the same data");
  const struct few_classes own = few__model_classes(m, "this model");
  const struct few_classes its = few__model_classes(w, "the model that guides");
  FEW_TRY(few__classes_in_order(ctx, &own, &its, "give one trained on the same classes"));
  if (o->label == FEW_LABEL_NONE)
    FEW_TRY(
        few_net_check_unconditional(ctx, b, "the model that guides", "sampling without labels"));
  if (o->guidance == 1 || m->spec.guidance) return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID, "guidance %g and autoguidance at once: leave guidance at 1",
                   o->guidance);
}

/* The model's own times belong to its own sampler and to that number of steps. */
static bool own_times(const few_model *m, const struct few_sample_opts *o,
                      const struct few_sampler_def *chosen) {
  return m->n_times > 0 && !o->n_times && !o->schedule && !strcmp(chosen->name, m->sampler) &&
         (!o->steps || o->steps == m->n_times);
}

/* The times of a fitted sampler come from a file, all of them. */
static few_status resolve_fitted(few_ctx *ctx, const few_model *m, const struct few_sample_opts *o,
                                 struct few_sample_resolved *s) {
  if (!s->olss)
    return few__fail(
        ctx, FEW_E_INVALID,
        "%s needs a schedule that was fitted to the model: make one with few olss, and "
        "give its file as the schedule",
        s->sampler->name);
  if (!s->sampler->fitted)
    return few__fail(ctx, FEW_E_INVALID, "%s is a schedule for olss, not for %s", o->schedule,
                     s->sampler->name);
  if (s->olss->sigma_d != m->spec.sigma_data)
    return few__fail(
        ctx, FEW_E_INVALID,
        "%s was fitted to a model of sigma_data %g, and this one has %g: fit one to it",
        o->schedule, s->olss->sigma_d, m->spec.sigma_data);
  if (o->n_times > 0 || (o->steps > 0 && o->steps != s->olss->steps))
    return few__fail(ctx, FEW_E_INVALID, "%s has its own %d steps: give no others", o->schedule,
                     s->olss->steps);
  s->times.steps = s->olss->steps;
  s->times.times = s->olss->t;
  return FEW_OK;
}

static int default_steps(const few_model *m, const struct few_sample_resolved *s) {
  return m->spec.step_size == FEW_STEP_SIZE_SEGMENT ? (int)m->spec.max_steps : s->sampler->steps;
}

static few_status resolve_times(few_ctx *ctx, const few_model *m, const struct few_sample_opts *o,
                                struct few_sample_resolved *s) {
  s->times = (struct few_times_opts)FEW_TIMES_OPTS_INIT;
  if (o->steps > FEW_STEPS_MAX || o->n_times > FEW_STEPS_MAX)
    return few__fail(ctx, FEW_E_INVALID, "%d steps: give 1 to %d, or 0 for the sampler's own",
                     o->steps > o->n_times ? o->steps : o->n_times, (int)FEW_STEPS_MAX);
  if (o->n_times > 0 && !o->times)
    return few__fail(ctx, FEW_E_INVALID, "%d times, but no list of them: give the list",
                     o->n_times);
  if (o->n_times < 0 || o->steps < 0 || (o->n_times > 0 && o->steps > 0 && o->steps != o->n_times))
    return few__fail(ctx, FEW_E_INVALID,
                     "%d steps and %d times: give only one of them, or equal numbers", o->steps,
                     o->n_times);
  if (s->olss || s->sampler->fitted) return resolve_fitted(ctx, m, o, s);
  if (o->n_times > 0 && o->schedule)
    return few__fail(ctx, FEW_E_INVALID, "times and a schedule: give one of the two");
  if (o->schedule) FEW_TRY(few__schedule_find(ctx, &s->times.schedule, o->schedule));
  s->times.steps = o->n_times > 0 ? o->n_times : o->steps > 0 ? o->steps : default_steps(m, s);
  if (o->n_times > 0) s->times.times = o->times;
  if (own_times(m, o, s->sampler)) {
    s->times.steps = m->n_times;
    s->times.times = m->times;
  }
  return FEW_OK;
}

static few_status resolve_settings(few_ctx *ctx, const struct few_sample_opts *o,
                                   struct few_sample_resolved *s) {
  static const struct few_option none[] = {FEW_OPT_END};
  const struct few_option *table = s->sampler->options ? s->sampler->options : none;
  if (s->sampler->options) {
    FEW_TRY(FEW_NEW(ctx, &s->settings, s->sampler->options_size));
    FEW_TRY(few_options_default(s->settings, ctx, table));
  }
  FEW_TRY(few__opts_texts(ctx, "settings", o->n_settings, o->settings));
  for (int i = 0; i < o->n_settings; i++) {
    char key[64];
    const char *eq = strchr(o->settings[i], '=');
    if (!eq || eq - o->settings[i] >= (int)sizeof key)
      return few__fail(ctx, FEW_E_INVALID, "`%.60s`: settings are key=value", o->settings[i]);
    snprintf(key, sizeof key, "%.*s", (int)(eq - o->settings[i]), o->settings[i]);
    if (!few_option_find(table, key) && !few__option_nearest(&table, 1, key))
      return few__fail(ctx, FEW_E_INVALID,
                       "sampler %s has no option `%s`: `few list samplers %s` shows what it has",
                       s->sampler->name, key, s->sampler->name);
    few_status st = few_option_set(s->settings, ctx, table, key, eq + 1);
    if (st) return few__fail_in(ctx, st, "sampler %s", s->sampler->name);
  }
  return FEW_OK;
}

static few_status check(few_ctx *ctx, const few_model *m, const struct few_sample_opts *o) {
  const int64_t dims = m->spec.h * m->spec.w * m->spec.c;
  FEW_TRY(few__opts_check(ctx, "few_sample_opts", o, FEW_SAMPLE_OPTS_VERSION));
  if (few__model_classifies(m))
    return few__fail(ctx, FEW_E_INVALID,
                     "net %s is a classifier and makes no images: sample another model",
                     m->net->name);
  if (o->n < 1 || o->first < 0 || o->n > max_index || o->first > max_index - o->n)
    return few__fail(ctx, FEW_E_INVALID,
                     "%lld images from number %lld: give at least one, from 0, below 2^40",
                     (long long)o->n, (long long)o->first);
  if (o->n > PTRDIFF_MAX / (int64_t)sizeof(double) / dims)
    return few__fail(ctx, FEW_E_INVALID,
                     "%lld images of %lld values do not fit in any memory: take fewer at once, "
                     "with `first`",
                     (long long)o->n, (long long)dims);
  if (o->batch < 0)
    return few__fail(ctx, FEW_E_INVALID, "a batch of %lld: give 0 or more", (long long)o->batch);
  FEW_TRY(check_label(ctx, m, o->label));
  if (o->label == FEW_LABEL_NONE)
    FEW_TRY(few_net_check_unconditional(ctx, &m->spec, "this model", "sampling without labels"));
  FEW_TRY(check_guidance(ctx, m, o));
  return check_autoguide(ctx, m, o);
}

/* A map that takes a step's size gives no denoised image. */
static few_status check_clip(few_ctx *ctx, const few_model *m, const struct few_sample_opts *o,
                             enum few_sample_way way) {
  FEW_TRY(few__opts_range(ctx, "clip", o->clip, 0, 1e6));
  FEW_TRY(few__opts_range(ctx, "threshold", o->threshold, 0, 1));
  if (o->threshold > 0 && !(o->clip > 0))
    return few__fail(ctx, FEW_E_INVALID, "threshold %g without clip: give clip = 1 too",
                     o->threshold);
  if (!(o->clip > 0) || (m->spec.step_size == FEW_STEP_SIZE_NONE && way == FEW_TO_IMAGES))
    return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID,
                   "clip %g: this model makes steps, so it has no denoised images on the way: "
                   "leave clip out",
                   o->clip);
}

struct rehearsal {
  few_ctx *ctx;
  const few_model *m;
};

static few_status rehearse_step(void *user, const float *x, double t, double to, float *F) {
  const struct rehearsal *r = user;
  float step_size;
  FEW_UNUSED(x);
  FEW_UNUSED(F);
  FEW_TRY(few__forward_time_check(r->ctx, r->m, (double)(float)t));
  return r->m->spec.step_size == FEW_STEP_SIZE_NONE
             ? FEW_OK
             : few__step_size(r->ctx, r->m, t, to, &step_size);
}

/* Runs the sampler with no rows, which checks that times fall, that it can start at the first time,
 * and that the model was trained for each step. */
static few_status rehearse(few_ctx *ctx, const few_model *m, const struct few_sample_resolved *s,
                           enum few_sample_way way) {
  struct rehearsal r = {ctx, m};
  float none = 0;
  struct few_sampling run = {.sigma_d = m->spec.sigma_data,
                             .x = &none,
                             .eval = rehearse_step,
                             .user = &r,
                             .olss = s->olss,
                             .opts = s->settings};
  return (way == FEW_TO_NOISE ? few__encode : few__sample)(ctx, s->sampler, &s->times, &run);
}

static bool is_file(const char *schedule) {
  const size_t n = schedule ? strlen(schedule) : 0;
  return n > 5 && !strcmp(schedule + n - 5, ".json");
}

/* The time at which encoding starts, above 0, where every network can be evaluated. */
static double first_time(const few_model *m, const struct few_times_opts *o) {
  const double sigma = m->spec.sigma_data;
  if (m->direction == FEW_ENCODES)
    return few__cosine_time(few__cosine(o->logsnr_min, o->logsnr_max), sigma, 0);
  return atan(o->sigma_min / sigma);
}

static few_status resolve_direction(few_ctx *ctx, const few_model *m,
                                    const struct few_sample_opts *o, enum few_sample_way way,
                                    struct few_sample_resolved *s) {
  if (m->direction == (way == FEW_TO_NOISE ? FEW_DECODES : FEW_ENCODES))
    return few__fail(ctx, FEW_E_INVALID,
                     way == FEW_TO_NOISE
                         ? "this model's steps lead only from noise to images: encode with "
                           "its teacher, or with an encoder (objective progressive, direction "
                           "encode)"
                         : "this model maps images to noise: use few encode");
  if (way == FEW_TO_IMAGES || o->sampler || s->sampler->both_ways) return FEW_OK;
  if (s->sampler->order == 0)
    return few__fail(ctx, FEW_E_INVALID,
                     "this model (%s) leads only from noise to images: encode with its teacher",
                     m->objective);
  return few__sampler_find(ctx, &s->sampler, "ddim");
}

static few_status resolve(few_ctx *ctx, const few_model *m, const struct few_sample_opts *o,
                          enum few_sample_way way, struct few_sample_resolved *s) {
  FEW_TRY(check(ctx, m, o));
  FEW_TRY(check_clip(ctx, m, o, way));
  const char *sampler = m->sampler;
  if (is_file(o->schedule)) {
    FEW_TRY(few__olss_read(ctx, &s->olss, o->schedule));
    sampler = few__sampler_olss.name;
  }
  FEW_TRY(few__sampler_find(ctx, &s->sampler, o->sampler ? o->sampler : sampler));
  FEW_TRY(resolve_direction(ctx, m, o, way, s));
  if (s->sampler->jumps && m->spec.step_size == FEW_STEP_SIZE_NONE)
    return few__fail(
        ctx, FEW_E_INVALID,
        "%s needs the average velocity of a jump, but this model gives the velocity at "
        "a time: sample it with ddim",
        s->sampler->name);
  FEW_TRY(resolve_times(ctx, m, o, s));
  if (way == FEW_TO_NOISE) s->times.t_end = first_time(m, &s->times);
  FEW_TRY(resolve_settings(ctx, o, s));
  return rehearse(ctx, m, s, way);
}

few_status few__sample_resolve(few_ctx *ctx, struct few_sample_resolved *out, const few_model *m,
                               const struct few_sample_opts *o, enum few_sample_way way) {
  *out = (struct few_sample_resolved){.sampler = NULL};
  few_status st = resolve(ctx, m, o, way, out);
  if (st) few__sample_resolved_free(ctx, out);
  return st;
}

void few__sample_resolved_free(few_ctx *ctx, struct few_sample_resolved *s) {
  few__free(ctx, s->settings);
  few__olss_free(ctx, s->olss);
  s->settings = NULL;
  s->olss = NULL;
}

few_status few__sample_evals(few_ctx *ctx, const few_model *m, const struct few_sample_opts *o,
                             int *out) {
  struct few_sample_resolved s;
  FEW_TRY(few__sample_resolve(ctx, &s, m, o, FEW_TO_IMAGES));
  const bool twice = !m->spec.guidance && o->guidance != 1;
  *out = few__sampler_evals(s.sampler, s.times.steps) * (twice || o->autoguide ? 2 : 1);
  few__sample_resolved_free(ctx, &s);
  return FEW_OK;
}

bool few__model_has_field(few_ctx *ctx, const few_model *m) {
  const struct few_sampler_def *own;
  if (m->direction != FEW_BOTH_WAYS || few__sampler_find(ctx, &own, m->sampler)) return false;
  return own->order > 0 || m->spec.step_size == FEW_STEP_SIZE_ANGLE ||
         m->spec.step_size == FEW_STEP_SIZE_HALVINGS;
}

few_status few__model_field_check(few_ctx *ctx, const few_model *m, const char *what) {
  if (few__model_has_field(ctx, m)) return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID,
                   "%s follows the flow from noise to images, and this model (%s) has only learned "
                   "the jumps of %s: take its teacher",
                   what, m->objective, m->sampler);
}

/* Warns about combinations that run but sample poorly. */
static void warn(few_ctx *ctx, const few_model *m, const struct few_sample_opts *o,
                 const struct few_sample_resolved *s) {
  const bool field = few__model_has_field(ctx, m);
  if (s->sampler->order > 0 && !field && strcmp(s->sampler->name, m->sampler) != 0)
    few__log(ctx, FEW_LOG_WARN,
             "%s follows the flow, but this model (%s) has only learned the jumps of %s: images "
             "will be poor",
             s->sampler->name, m->objective, m->sampler);
  else if (m->direction != FEW_BOTH_WAYS && m->n_times && s->times.steps != m->n_times)
    few__log(ctx, FEW_LOG_WARN,
             "this model (%s) has learned its own %d step%s, but is sampled in %d: images will "
             "be poor",
             m->objective, m->n_times, m->n_times == 1 ? "" : "s", s->times.steps);
  if (o->guidance != 1 && !m->spec.guidance && !field)
    few__log(
        ctx, FEW_LOG_WARN,
        "guidance %g extrapolates the jumps of this model (%s), which was trained without "
        "guidance: images will be poor. Train a student that takes the guidance scale as an input "
        "(guidance_max = %g in its recipe), or guide its teacher",
        o->guidance, m->objective, o->guidance > 1 ? ceil(o->guidance) : 2);
}

few_status few__sample_plan(few_ctx *ctx, const few_model *m, const struct few_sample_opts *o,
                            const char **sampler, int *steps) {
  struct few_sample_resolved s;
  FEW_TRY(few__sample_resolve(ctx, &s, m, o, FEW_TO_IMAGES));
  warn(ctx, m, o, &s);
  if (sampler) *sampler = s.sampler->name;
  if (steps) *steps = s.times.steps;
  few__sample_resolved_free(ctx, &s);
  return FEW_OK;
}

few_status few_sample_plan(const char **sampler, int *steps, few_runner *r,
                           const struct few_sample_opts *opts) {
  return few__sample_plan(r->ctx, r->m, opts, sampler, steps);
}
