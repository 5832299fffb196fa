/* choose.c - what few_sample_opts come to for a model: all that can be refused is refused here,
 * before the first evaluation, and all that was left open is filled in.
 */
#include <math.h>
#include <stdio.h>

#include "diffusion/process/vp.h"
#include "diffusion/sampler/sampler.h"
#include "model/model.h"

static const int64_t max_index = (int64_t)1 << 40; /* of a row, base/rng.h */
static const double max_guidance = 1e6;            /* finite in f32 after any product with F */

static few_status check_label(const few_model *m, int label) {
  int64_t classes = m->spec.classes;
  if (label == FEW_LABEL_EACH || label == FEW_LABEL_NONE || label == FEW_LABEL_SHARES)
    return FEW_OK;
  if (label >= 0 && label < classes) {
    if (!m->class_counts || m->class_counts[label]) return FEW_OK;
    return few__fail(m->ctx, FEW_E_INVALID,
                     "label %d: there was none of this class in the training data: give another",
                     label);
  }
  if (!classes)
    return few__fail(m->ctx, FEW_E_INVALID, "label %d: this model has no classes: give no label",
                     label);
  return few__fail(m->ctx, FEW_E_INVALID, "label %d: this model has classes 0 to %lld", label,
                   (long long)(classes - 1));
}

static few_status check_guidance(const few_model *m, const struct few_sample_opts *o) {
  const double s = o->guidance;
  FEW_TRY(few__opts_range(m->ctx, "guidance", s, 0, max_guidance));
  if (!(o->guidance_from <= o->guidance_to))
    return few__fail(m->ctx, FEW_E_INVALID,
                     "guidance from t = %g to %g: give the smaller time first", o->guidance_from,
                     o->guidance_to);
  if (m->spec.guidance) {
    bool everywhere = o->guidance_from <= 0 && o->guidance_to >= FEW_PI_2;
    if (!everywhere && (m->guidance_min > 1 || m->guidance_max < 1))
      return few__fail(m->ctx, FEW_E_INVALID,
                       "guidance at some times alone: this model was not trained for guidance 1, "
                       "which is none");
    if (s >= m->guidance_min && s <= m->guidance_max) return FEW_OK;
    return few__fail(m->ctx, FEW_E_INVALID,
                     "guidance %g: this model was trained for guidance %g to %g", s,
                     m->guidance_min, m->guidance_max);
  }
  if (s == 1) return FEW_OK;
  if (m->spec.classes && o->label != FEW_LABEL_NONE) {
    char why[48];
    few__print(why, sizeof why, "guidance %g", s);
    return few__net_asks_unlabelled(m->ctx, &m->spec, "this model", why);
  }
  if (!m->spec.classes)
    return few__fail(m->ctx, FEW_E_INVALID,
                     "guidance %g: this model has no classes to guide by: only 1 is possible", s);
  return few__fail(m->ctx, FEW_E_INVALID,
                   "guidance %g without a label: give a label, or guidance 1", s);
}

/* Both must turn the same x_t and label into F on the same scale, or their difference means
 * nothing.
 */
static few_status check_autoguide(const few_model *m, const struct few_sample_opts *o) {
  const few_model *w = o->autoguide;
  FEW_TRY(few__opts_range(m->ctx, "autoguidance", o->autoguidance, 0, max_guidance));
  if (!w) return FEW_OK;
  const struct few_net_spec *a = &m->spec, *b = &w->spec;
  if (w->ctx != m->ctx)
    return few__fail(m->ctx, FEW_E_INVALID,
                     "the model that guides is of another context: load both into one");
  if (few__model_classifies(w) || a->h != b->h || a->w != b->w || a->c != b->c ||
      a->points != b->points || a->classes != b->classes || a->guidance != b->guidance ||
      a->span != b->span || a->span_steps != b->span_steps)
    return few__fail(
        m->ctx, FEW_E_INVALID,
        "the model that guides makes other things (%lld x %lld x %lld, %lld classes%s): "
        "give one of the same images, classes and inputs",
        (long long)b->h, (long long)b->w, (long long)b->c, (long long)b->classes,
        b->guidance ? ", a guidance input" : "");
  if (a->sigma_data != b->sigma_data || !few__model_same_scale(m, w))
    return few__fail(m->ctx, FEW_E_INVALID,
                     "the model that guides was trained on data of another scale: give one trained "
                     "on the same data");
  const struct few_classes own = few__model_classes(m, "this model");
  const struct few_classes its = few__model_classes(w, "the model that guides");
  FEW_TRY(few__classes_in_order(m->ctx, &own, &its, "give one trained on the same classes"));
  if (o->label == FEW_LABEL_NONE)
    FEW_TRY(
        few__net_asks_unlabelled(m->ctx, b, "the model that guides", "sampling without labels"));
  if (o->guidance == 1 || m->spec.guidance) return FEW_OK;
  return few__fail(m->ctx, FEW_E_INVALID,
                   "guidance %g and autoguidance at once: leave guidance at 1", o->guidance);
}

/* The model's own times are its own sampler's, for as many steps. */
static bool own_times(const few_model *m, const struct few_sample_opts *o,
                      const struct few_sampler_def *chosen) {
  return m->n_times > 0 && !o->n_times && !o->schedule && !strcmp(chosen->name, m->sampler) &&
         (!o->steps || o->steps == m->n_times);
}

/* Nothing but a file has a fitted sampler's times, and it has all of them. */
static few_status choose_fitted(const few_model *m, const struct few_sample_opts *o,
                                struct few_sample_choice *c) {
  if (!c->olss)
    return few__fail(
        m->ctx, FEW_E_INVALID,
        "%s needs a schedule that was fitted to the model: make one with few olss, and "
        "give its file as the schedule",
        c->sampler->name);
  if (!c->sampler->fitted)
    return few__fail(m->ctx, FEW_E_INVALID, "%s is a schedule for olss, not for %s", o->schedule,
                     c->sampler->name);
  if (c->olss->sigma_d != m->spec.sigma_data)
    return few__fail(
        m->ctx, FEW_E_INVALID,
        "%s was fitted to a model of sigma_data %g, and this one has %g: fit one to it",
        o->schedule, c->olss->sigma_d, m->spec.sigma_data);
  if (o->n_times > 0 || (o->steps > 0 && o->steps != c->olss->steps))
    return few__fail(m->ctx, FEW_E_INVALID, "%s has its own %d steps: give no others", o->schedule,
                     c->olss->steps);
  c->times.steps = c->olss->steps;
  c->times.times = c->olss->t;
  return FEW_OK;
}

static int default_steps(const few_model *m, const struct few_sample_choice *c) {
  return m->spec.span == FEW_SPAN_SEGMENT ? (int)m->spec.span_steps : c->sampler->steps;
}

static few_status choose_times(const few_model *m, const struct few_sample_opts *o,
                               struct few_sample_choice *c) {
  c->times = (struct few_times_opts)FEW_TIMES_OPTS_INIT;
  if (o->steps > FEW_STEPS_MAX || o->n_times > FEW_STEPS_MAX)
    return few__fail(m->ctx, FEW_E_INVALID, "%d steps: give 1 to %d, or 0 for the sampler's own",
                     o->steps > o->n_times ? o->steps : o->n_times, (int)FEW_STEPS_MAX);
  if (o->n_times > 0 && !o->times)
    return few__fail(m->ctx, FEW_E_INVALID, "%d times and no list: give one", o->n_times);
  if (o->n_times < 0 || o->steps < 0 || (o->n_times > 0 && o->steps > 0 && o->steps != o->n_times))
    return few__fail(m->ctx, FEW_E_INVALID,
                     "%d steps and %d times: give one of them, or as many of both", o->steps,
                     o->n_times);
  if (c->olss || c->sampler->fitted) return choose_fitted(m, o, c);
  if (o->n_times > 0 && o->schedule)
    return few__fail(m->ctx, FEW_E_INVALID, "times and a schedule: give one of the two");
  if (o->schedule) FEW_TRY(few__schedule_find(m->ctx, &c->times.schedule, o->schedule));
  c->times.steps = o->n_times > 0 ? o->n_times : o->steps > 0 ? o->steps : default_steps(m, c);
  if (o->n_times > 0) c->times.times = o->times;
  if (own_times(m, o, c->sampler)) {
    c->times.steps = m->n_times;
    c->times.times = m->times;
  }
  return FEW_OK;
}

static few_status choose_settings(const few_model *m, const struct few_sample_opts *o,
                                  struct few_sample_choice *c) {
  static const struct few_option none[] = {FEW_OPT_END};
  const struct few_option *table = c->sampler->options ? c->sampler->options : none;
  if (c->sampler->options) {
    FEW_TRY(FEW_NEW(m->ctx, &c->settings, c->sampler->options_size));
    FEW_TRY(few_options_default(m->ctx, table, c->settings));
  }
  FEW_TRY(few__opts_texts(m->ctx, "settings", o->n_settings, o->settings));
  for (int i = 0; i < o->n_settings; i++) {
    char key[64];
    const char *eq = strchr(o->settings[i], '=');
    if (!eq || eq - o->settings[i] >= (int)sizeof key)
      return few__fail(m->ctx, FEW_E_INVALID, "`%.60s`: settings are key=value", o->settings[i]);
    snprintf(key, sizeof key, "%.*s", (int)(eq - o->settings[i]), o->settings[i]);
    if (!few_option_find(table, key) && !few__option_nearest(&table, 1, key))
      return few__fail(m->ctx, FEW_E_INVALID,
                       "sampler %s has no option `%s`: `few list samplers %s` shows what it has",
                       c->sampler->name, key, c->sampler->name);
    few_status st = few_option_set(m->ctx, table, c->settings, key, eq + 1);
    if (st) return few__fail_in(m->ctx, st, "sampler %s", c->sampler->name);
  }
  return FEW_OK;
}

static few_status check(const few_model *m, const struct few_sample_opts *o) {
  const int64_t dims = m->spec.h * m->spec.w * m->spec.c;
  FEW_TRY(few__opts_check(m->ctx, "few_sample_opts", o, FEW_SAMPLE_OPTS_VERSION));
  if (few__model_classifies(m))
    return few__fail(m->ctx, FEW_E_INVALID,
                     "net %s tells classes and makes no images: sample another model",
                     m->net->name);
  if (o->n < 1 || o->first < 0 || o->n > max_index || o->first > max_index - o->n)
    return few__fail(m->ctx, FEW_E_INVALID,
                     "%lld images from number %lld: give at least one, from 0, below 2^40",
                     (long long)o->n, (long long)o->first);
  if (o->n > PTRDIFF_MAX / (int64_t)sizeof(double) / dims)
    return few__fail(m->ctx, FEW_E_INVALID,
                     "%lld images of %lld values are more than memory can be: ask for fewer at "
                     "once, with `first`",
                     (long long)o->n, (long long)dims);
  if (o->batch < 0)
    return few__fail(m->ctx, FEW_E_INVALID, "a batch of %lld: give 0 or more", (long long)o->batch);
  FEW_TRY(check_label(m, o->label));
  if (o->label == FEW_LABEL_NONE)
    FEW_TRY(few__net_asks_unlabelled(m->ctx, &m->spec, "this model", "sampling without labels"));
  FEW_TRY(check_guidance(m, o));
  return check_autoguide(m, o);
}

static few_status ask(void *user, const float *x, double t, double to, float *F) {
  const few_model *m = user;
  float span;
  FEW_UNUSED(x);
  FEW_UNUSED(F);
  FEW_TRY(few__model_knows(m, (double)(float)t));
  return m->spec.span == FEW_SPAN_NONE ? FEW_OK : few_model_span(m, t, to, &span);
}

/* The sampler's own run with no rows: do its times fall, can it start at the first, does the model
 * know each step? */
static few_status rehearse(const few_model *m, const struct few_sample_choice *c, bool encode) {
  float none = 0;
  struct few_sampling s = {.sigma_d = m->spec.sigma_data,
                           .x = &none,
                           .eval = ask,
                           .user = (void *)(uintptr_t)m,
                           .olss = c->olss,
                           .opts = c->settings};
  return (encode ? few__encode : few__sample)(m->ctx, c->sampler, &c->times, &s);
}

static bool is_file(const char *schedule) {
  const size_t n = schedule ? strlen(schedule) : 0;
  return n > 5 && !strcmp(schedule + n - 5, ".json");
}

/* The end of the way up is where it begins: the network is asked at times above 0 alone. */
static double first_time(const few_model *m, const struct few_times_opts *o) {
  const double sigma = m->spec.sigma_data;
  if (m->direction == FEW_ENCODES)
    return few__cosine_time(few__cosine(o->logsnr_min, o->logsnr_max), sigma, 0);
  return atan(o->sigma_min / sigma);
}

static few_status choose_direction(const few_model *m, const struct few_sample_opts *o, bool encode,
                                   struct few_sample_choice *c) {
  if (m->direction == (encode ? FEW_DECODES : FEW_ENCODES))
    return few__fail(m->ctx, FEW_E_INVALID,
                     encode ? "this model's steps lead from noise to images alone: encode with "
                              "its teacher, or with an encoder (objective progressive, direction "
                              "encode)"
                            : "this model leads from images to noise: few encode is for it");
  if (!encode || o->sampler || c->sampler->both_ways) return FEW_OK;
  if (c->sampler->order == 0)
    return few__fail(m->ctx, FEW_E_INVALID,
                     "this model (%s) leads from noise to images alone: encode with its teacher",
                     m->objective);
  return few__sampler_find(m->ctx, &c->sampler, "ddim");
}

static few_status choose(const few_model *m, const struct few_sample_opts *o, bool encode,
                         struct few_sample_choice *c) {
  FEW_TRY(check(m, o));
  const char *sampler = m->sampler;
  if (is_file(o->schedule)) {
    FEW_TRY(few__olss_read(m->ctx, &c->olss, o->schedule));
    sampler = few__sampler_olss.name;
  }
  FEW_TRY(few__sampler_find(m->ctx, &c->sampler, o->sampler ? o->sampler : sampler));
  FEW_TRY(choose_direction(m, o, encode, c));
  if (c->sampler->jumps && m->spec.span == FEW_SPAN_NONE)
    return few__fail(m->ctx, FEW_E_INVALID,
                     "%s asks for the average velocity of a jump, and this model gives that of a "
                     "moment: sample it with ddim",
                     c->sampler->name);
  FEW_TRY(choose_times(m, o, c));
  if (encode) c->times.t_end = first_time(m, &c->times);
  FEW_TRY(choose_settings(m, o, c));
  return rehearse(m, c, encode);
}

few_status few__sample_choose(const few_model *m, const struct few_sample_opts *o, bool encode,
                              struct few_sample_choice *out) {
  *out = (struct few_sample_choice){.sampler = NULL};
  few_status st = choose(m, o, encode, out);
  if (st) few__sample_choice_free(m, out);
  return st;
}

void few__sample_choice_free(const few_model *m, struct few_sample_choice *c) {
  few__free(m->ctx, c->settings);
  few__olss_free(m->ctx, c->olss);
  c->settings = NULL;
  c->olss = NULL;
}

few_status few__sample_evals(const few_model *m, const struct few_sample_opts *o, int *out) {
  struct few_sample_choice c;
  FEW_TRY(few__sample_choose(m, o, false, &c));
  const bool twice = !m->spec.guidance && o->guidance != 1;
  *out = few__sampler_evals(c.sampler, c.times.steps) * (twice || o->autoguide ? 2 : 1);
  few__sample_choice_free(m, &c);
  return FEW_OK;
}

bool few__model_has_field(const few_model *m) {
  const struct few_sampler_def *own;
  if (m->direction != FEW_BOTH_WAYS || few__sampler_find(m->ctx, &own, m->sampler)) return false;
  return own->order > 0 || m->spec.span == FEW_SPAN_ANGLE || m->spec.span == FEW_SPAN_HALVINGS;
}

few_status few__model_needs_field(const few_model *m, const char *what) {
  if (few__model_has_field(m)) return FEW_OK;
  return few__fail(m->ctx, FEW_E_INVALID,
                   "%s follows the flow from noise to images, and this model (%s) has learned the "
                   "jumps of %s alone: take its teacher",
                   what, m->objective, m->sampler);
}

/* What runs without an error and draws poor images. */
static void warn(const few_model *m, const struct few_sample_opts *o,
                 const struct few_sample_choice *c) {
  const bool field = few__model_has_field(m);
  if (c->sampler->order > 0 && !field && strcmp(c->sampler->name, m->sampler) != 0)
    few__log(m->ctx, FEW_LOG_WARN,
             "%s solves for the flow, and this model (%s) has learned the jumps of %s alone: "
             "images will be poor",
             c->sampler->name, m->objective, m->sampler);
  else if (m->direction != FEW_BOTH_WAYS && m->n_times && c->times.steps != m->n_times)
    few__log(m->ctx, FEW_LOG_WARN,
             "this model (%s) has learned its own %d step%s, and is asked for %d: images will "
             "be poor",
             m->objective, m->n_times, m->n_times == 1 ? "" : "s", c->times.steps);
  if (o->guidance != 1 && !m->spec.guidance && !field)
    few__log(m->ctx, FEW_LOG_WARN,
             "guidance %g extrapolates the jumps of this model (%s), which was trained without: "
             "images will be poor. Train a student that takes the strength as an input "
             "(guidance_max = %g in its recipe), or guide its teacher",
             o->guidance, m->objective, o->guidance > 1 ? ceil(o->guidance) : 2);
}

few_status few_sample_plan(few_model *m, const struct few_sample_opts *opts, const char **sampler,
                           int *steps) {
  struct few_sample_choice c;
  FEW_TRY(few__sample_choose(m, opts, false, &c));
  warn(m, opts, &c);
  if (sampler) *sampler = c.sampler->name;
  if (steps) *steps = c.times.steps;
  few__sample_choice_free(m, &c);
  return FEW_OK;
}

/* ---- lists ---- */

int few_sampler_list_count(void) { return few__sampler_count(NULL); }

struct few_sampler_info few_sampler_list(int i) {
  if (i < 0 || i >= few__sampler_count(NULL)) return (struct few_sampler_info){.name = NULL};
  const struct few_sampler_def *s = few__sampler_at(NULL, i);
  return (struct few_sampler_info){s->name, s->source, s->help, s->steps, s->order > 0};
}

few_status few_sampler_options(few_ctx *ctx, int i, char **out) {
  struct few_text text = {0};
  *out = NULL;
  if (i < 0 || i >= few__sampler_count(NULL))
    return few__fail(ctx, FEW_E_INVALID, "there is no sampler number %d", i);
  few__text_add(ctx, &text, "%s", "");
  if (few__sampler_at(NULL, i)->options)
    few__options_help(ctx, few__sampler_at(NULL, i)->options, &text);
  if (text.failed) {
    few__text_free(ctx, &text);
    return few__fail(ctx, FEW_E_MEMORY, "out of memory: option text");
  }
  *out = text.at;
  return FEW_OK;
}

int few_schedule_list_count(void) { return FEW_SCHEDULES; }

struct few_schedule_info few_schedule_list(int i) {
  if (i < 0 || i >= FEW_SCHEDULES) return (struct few_schedule_info){.name = NULL};
  const enum few_schedule s = (enum few_schedule)i;
  return (struct few_schedule_info){few__schedule_name(s), few__schedule_help(s)};
}
