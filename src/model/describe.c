/* describe.c - a model's description as JSON and back (docs/format.md, section 4).
 *
 * Options are written and read as text through the network's own option table, so a file is checked
 * as strictly as a recipe and reads back to the same bits. The text is not trusted: nothing in it
 * is used before its type and range are checked.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "io/json.h"
#include "model.h"

/* A file is written with the lowest version that can describe the model. */
enum {
  VERSION = 4,
  SHORT_NAME = 63,
  DESCRIPTION_MAX = 16 << 20,
  SIDE_MAX = 1 << 20,
  CLASSES_MAX = 1 << 20,
  AUGMENT_MAX = 1 << 12
};
enum { SPAN_STEPS_MAX = 1 << 20 };
#define OTHER_FILE "the file was made by something else"

/* ---- Writing ---- */

static void put_net(struct few_json *j, const few_model *m) {
  few__json_open(j, "net", '{');
  few__json_put_string(j, "name", m->net->name);
  few__json_open(j, "options", '{');
  for (const struct few_option *o = m->net->options; o->key; o++) {
    struct few_text t = {0};
    few__option_format(m->ctx, o, m->net_opts, &t);
    few__json_put_string(j, o->key, t.at ? t.at : "");
    j->out->failed |= t.failed;
    few__text_free(m->ctx, &t);
  }
  few__json_close(j);
  few__json_close(j);
}

/* Version 2 added lists of means and scales, and class names of over 63 bytes; version 3 processes
 * other than TrigFlow; version 4 labels of augmentation. */
static int version_of(const few_model *m) {
  if (m->spec.augment) return 4;
  if (m->spec.process) return 3;
  for (int64_t i = 0; m->class_names && i < m->spec.classes; i++)
    if (m->class_names[i] && strlen(m->class_names[i]) > SHORT_NAME) return 2;
  return m->scales ? 2 : 1;
}

/* The mean or the scale: one number, or one for each coordinate or channel. */
static void put_scale(struct few_json *j, const few_model *m, bool scale) {
  const char *key = scale ? "scale" : "mean";
  if (!m->scales) {
    few__json_put_real(j, key, scale ? m->data_scale : m->data_mean);
    return;
  }
  few__json_open(j, key, '[');
  for (int64_t k = 0; k < m->spec.c; k++)
    few__json_put_real(j, NULL, scale ? m->scales[k].scale : m->scales[k].mean);
  few__json_close(j);
}

static void put_data(struct few_json *j, const few_model *m) {
  const struct few_net_spec *s = &m->spec;
  few__json_open(j, "data", '{');
  few__json_put_string(j, "kind", s->points ? "points" : "image");
  if (s->points) {
    few__json_put_int(j, "d", s->c);
  } else {
    few__json_put_int(j, "h", s->h);
    few__json_put_int(j, "w", s->w);
    few__json_put_int(j, "c", s->c);
  }
  put_scale(j, m, false);
  put_scale(j, m, true);
  few__json_put_real(j, "sigma_data", s->sigma_data);
  few__json_put_int(j, "classes", s->classes);
  if (m->class_names && s->classes) {
    few__json_open(j, "class_names", '[');
    for (int64_t i = 0; i < s->classes; i++)
      few__json_put_string(j, NULL, m->class_names[i] ? m->class_names[i] : "");
    few__json_close(j);
  }
  if (m->class_counts && s->classes) {
    few__json_open(j, "class_counts", '[');
    for (int64_t i = 0; i < s->classes; i++) few__json_put_int(j, NULL, m->class_counts[i]);
    few__json_close(j);
  }
  few__json_close(j);
}

static void put_times(struct few_json *j, const few_model *m) {
  if (m->n_times < 1) return;
  few__json_open(j, "times", '[');
  for (int i = 0; i < m->n_times; i++) few__json_put_real(j, NULL, m->times[i]);
  few__json_close(j);
}

static void put_guidance(struct few_json *j, const few_model *m) {
  few__json_open(j, "guidance", '{');
  few__json_put_bool(j, "input", m->spec.guidance);
  few__json_put_real(j, "min", m->guidance_min);
  few__json_put_real(j, "max", m->guidance_max);
  few__json_close(j);
}

/* Puts whether training had rows without a label, unless the model has no classes or it is not
 * known. */
static void put_unlabelled(struct few_json *j, const struct few_net_spec *s) {
  if (!s->classes || s->unlabelled == FEW_UNKNOWN) return;
  few__json_put_bool(j, "unlabelled", s->unlabelled == FEW_YES);
}

static const char *const beta_schedules[FEW_BETA_SCHEDULES] = {"linear", "scaled-linear", "cosine"};

static void put_process(struct few_json *j, const struct few_net_spec *s) {
  const struct few_betas usual = FEW_BETAS_INIT, *b = s->betas.steps ? &s->betas : &usual;
  const struct few_process *p = few__process_at(s->process);
  few__json_put_string(j, "process", p->name);
  if (p != &few__process_ddpm) return;
  few__json_open(j, "betas", '{');
  few__json_put_string(j, "schedule", beta_schedules[b->schedule]);
  few__json_put_real(j, "start", b->start);
  few__json_put_real(j, "end", b->end);
  few__json_put_int(j, "steps", b->steps);
  few__json_put_bool(j, "zero_snr", b->zero_snr);
  few__json_close(j);
}

few_status few__model_describe(const few_model *m, struct few_text *out) {
  const size_t before = out->len;
  struct few_json writer = few__json_begin(m->ctx, out), *j = &writer;
  few__json_open(j, NULL, '{');
  few__json_put_int(j, "version", version_of(m));
  put_net(j, m);
  put_process(j, &m->spec);
  few__json_put_string(j, "predicts", few__predict_name(m->spec.predicts));
  few__json_open(j, "objective", '{');
  few__json_put_string(j, "name", m->objective);
  few__json_close(j);
  few__json_put_string(j, "sampler", m->sampler);
  put_times(j, m);
  few__json_put_int(j, "step", m->step);
  put_data(j, m);
  put_guidance(j, m);
  few__json_open(j, "span", '{');
  few__json_put_string(j, "unit", few__step_size_name(m->spec.step_size));
  few__json_put_int(j, "steps", m->spec.max_steps);
  few__json_close(j);
  if (m->spec.augment) few__json_put_int(j, "augment", m->spec.augment);
  few__json_put_string(j, "direction", few__direction_name(m->direction));
  put_unlabelled(j, &m->spec);
  few__json_put_raw(j, "provenance", m->provenance ? m->provenance : "{}");
  few__json_close(j);
  FEW_TRY(few__json_end(j, "a model cannot be described"));
  if (out->len - before <= DESCRIPTION_MAX) return FEW_OK;
  return few__fail(m->ctx, FEW_E_INVALID,
                   "a model cannot be described in 16 MiB: shorten the names of its classes");
}

/* ---- Reading ---- */

struct reading {
  few_ctx *ctx;
  const char *place;
  json_t *all, *data, *guidance;
};

static few_status bad(struct reading *r, const char *what) {
  return few__fail(r->ctx, FEW_E_FORMAT, "%s: %s: " OTHER_FILE, r->place, what);
}

static few_status read_version(struct reading *r) {
  int64_t version;
  FEW_TRY(few__json_int(r->ctx, r->place, r->all, "version", 1, INT64_MAX, &version));
  if (version <= VERSION) return FEW_OK;
  return few__fail(r->ctx, FEW_E_UNSUPPORTED,
                   "%s: format version %" PRId64
                   ", but this program reads up to %d: use a newer few",
                   r->place, version, VERSION);
}

static few_status read_betas(struct reading *r, struct few_betas *out) {
  json_t *part;
  const char *schedule;
  *out = (struct few_betas)FEW_BETAS_INIT;
  if (!json_object_get(r->all, "betas")) return FEW_OK;
  FEW_TRY(few__json_object(r->ctx, r->place, r->all, "betas", &part));
  FEW_TRY(few__json_string(r->ctx, r->place, part, "schedule", &schedule));
  int k = 0;
  while (k < FEW_BETA_SCHEDULES && strcmp(schedule, beta_schedules[k]) != 0) k++;
  if (k == FEW_BETA_SCHEDULES)
    return few__fail(r->ctx, FEW_E_UNSUPPORTED, "%s: betas of schedule `%.40s`: use a newer few",
                     r->place, schedule);
  out->schedule = (enum few_beta_schedule)k;
  FEW_TRY(few__json_real(r->ctx, r->place, part, "start", &out->start));
  FEW_TRY(few__json_real(r->ctx, r->place, part, "end", &out->end));
  FEW_TRY(few__json_int(r->ctx, r->place, part, "steps", FEW_BETAS_MIN_STEPS, FEW_BETAS_MAX_STEPS,
                        &out->steps));
  FEW_TRY(few__json_bool(r->ctx, r->place, part, "zero_snr", &out->zero_snr));
  if (out->start > 0 && out->start <= out->end && out->end < 1) return FEW_OK;
  return bad(r, "`betas` do not rise from above 0 to below 1");
}

static few_status read_process(struct reading *r, struct few_net_spec *s) {
  const char *process, *name;
  FEW_TRY(few__json_string(r->ctx, r->place, r->all, "process", &process));
  s->process = few__process_find(process);
  if (s->process < 0)
    return few__fail(r->ctx, FEW_E_UNSUPPORTED, "%s: process `%.40s`: use a newer few", r->place,
                     process);
  FEW_TRY(read_betas(r, &s->betas));
  name = few__predict_name(few__process_at(s->process)->predicts);
  if (json_object_get(r->all, "predicts"))
    FEW_TRY(few__json_string(r->ctx, r->place, r->all, "predicts", &name));
  if (!few__predict_find(r->ctx, &s->predicts, name)) return FEW_OK;
  return few__fail_in(r->ctx, FEW_E_UNSUPPORTED, "%s: `predicts`", r->place);
}

/* Sets *out, zeroed memory of options_size, to the defaults, then to the options in the file. */
static few_status read_options(struct reading *r, const struct few_net_def *net, json_t *part,
                               void *out) {
  json_t *options, *value;
  const char *key;
  FEW_TRY(few__json_object(r->ctx, r->place, part, "options", &options));
  FEW_TRY(few_options_default(out, r->ctx, net->options));
  json_object_foreach(options, key, value) {
    if (!json_is_string(value)) return bad(r, "an option of `net` is not a string");
    few_status st = few_option_set(out, r->ctx, net->options, key, json_string_value(value));
    if (st)
      return few__fail_in(r->ctx, st == FEW_E_MEMORY ? st : FEW_E_FORMAT, "%s: options of net %s",
                          r->place, net->name);
  }
  return FEW_OK;
}

static few_status read_shape(struct reading *r, struct few_net_spec *s) {
  const char *kind;
  FEW_TRY(few__json_string(r->ctx, r->place, r->data, "kind", &kind));
  s->points = !strcmp(kind, "points");
  s->h = s->w = 1;
  if (s->points) return few__json_int(r->ctx, r->place, r->data, "d", 1, SIDE_MAX, &s->c);
  if (strcmp(kind, "image") != 0) return bad(r, "`kind` is neither `image` nor `points`");
  FEW_TRY(few__json_int(r->ctx, r->place, r->data, "h", 1, SIDE_MAX, &s->h));
  FEW_TRY(few__json_int(r->ctx, r->place, r->data, "w", 1, SIDE_MAX, &s->w));
  return few__json_int(r->ctx, r->place, r->data, "c", 1, SIDE_MAX, &s->c);
}

static few_status read_span(struct reading *r, struct few_net_spec *s) {
  json_t *part;
  const char *unit;
  if (!json_object_get(r->all, "span")) return FEW_OK;
  FEW_TRY(few__json_object(r->ctx, r->place, r->all, "span", &part));
  FEW_TRY(few__json_string(r->ctx, r->place, part, "unit", &unit));
  if (few__step_size_find(r->ctx, &s->step_size, unit))
    return few__fail_in(r->ctx, FEW_E_UNSUPPORTED, "%s: use a newer few", r->place);
  FEW_TRY(few__json_int(r->ctx, r->place, part, "steps", 0, SPAN_STEPS_MAX, &s->max_steps));
  bool counted = s->step_size == FEW_STEP_SIZE_SEGMENT || s->step_size == FEW_STEP_SIZE_HALVINGS;
  if (counted && s->max_steps < 1) return bad(r, "`steps` of `span` is 0");
  return FEW_OK;
}

static few_status read_spec(struct reading *r, struct few_net_spec *s) {
  FEW_TRY(few__json_object(r->ctx, r->place, r->all, "data", &r->data));
  FEW_TRY(read_shape(r, s));
  FEW_TRY(few__json_int(r->ctx, r->place, r->data, "classes", 0, CLASSES_MAX, &s->classes));
  FEW_TRY(few__json_real(r->ctx, r->place, r->data, "sigma_data", &s->sigma_data));
  FEW_TRY(read_span(r, s));
  if (json_object_get(r->all, "augment"))
    FEW_TRY(few__json_int(r->ctx, r->place, r->all, "augment", 0, AUGMENT_MAX, &s->augment));
  r->guidance = json_object_get(r->all, "guidance");
  if (!r->guidance) return FEW_OK;
  return few__json_bool(r->ctx, r->place, r->guidance, "input", &s->guidance);
}

static few_status read_net(struct reading *r, few_model **out) {
  json_t *part;
  const char *name;
  char *opts;
  struct few_net_spec spec = {0};
  FEW_TRY(few__json_object(r->ctx, r->place, r->all, "net", &part));
  FEW_TRY(few__json_string(r->ctx, r->place, part, "name", &name));
  const struct few_net_def *net = few__net_find(r->ctx, name);
  if (!net)
    return few__fail(r->ctx, FEW_E_UNSUPPORTED,
                     "%s: this program has no net called `%.40s`: use a newer few, or add the net "
                     "to the context first",
                     r->place, name);
  FEW_TRY(read_process(r, &spec));
  FEW_TRY(read_spec(r, &spec));
  FEW_TRY(FEW_NEW(r->ctx, &opts, net->options_size));
  few_status st = read_options(r, net, part, opts);
  if (!st) {
    st = few__model_declare(r->ctx, out, net, opts, &spec);
    if (st) few__fail_in(r->ctx, st, "%s", r->place);
    if (st == FEW_E_INVALID) st = FEW_E_FORMAT;
  }
  few__free(r->ctx, opts);
  return st;
}

static few_status read_word(struct reading *r, const json_t *object, const char *key, char *out) {
  const char *word;
  FEW_TRY(few__json_string(r->ctx, r->place, object, key, &word));
  if (!word[0] || strlen(word) >= FEW_MAX_COMPONENT_NAME)
    return few__fail(r->ctx, FEW_E_FORMAT, "%s: `%s` must have 1 to %d bytes: " OTHER_FILE,
                     r->place, key, FEW_MAX_COMPONENT_NAME - 1);
  snprintf(out, FEW_MAX_COMPONENT_NAME, "%s", word);
  return FEW_OK;
}

/* Reads lists of means and scales, with one number for each coordinate or channel. */
static few_status read_scales(struct reading *r, few_model *m) {
  json_t *list[2];
  FEW_TRY(few__json_array(r->ctx, r->place, r->data, "mean", &list[0]));
  FEW_TRY(few__json_array(r->ctx, r->place, r->data, "scale", &list[1]));
  for (int i = 0; i < 2; i++)
    if (json_array_size(list[i]) != (size_t)m->spec.c)
      return bad(r, "`mean` and `scale` do not have one number for each coordinate or channel");
  FEW_TRY(FEW_NEW(r->ctx, &m->scales, m->spec.c));
  m->data_mean = m->data_scale = NAN;
  for (int64_t k = 0; k < m->spec.c; k++) {
    const json_t *mean = json_array_get(list[0], (size_t)k);
    const json_t *scale = json_array_get(list[1], (size_t)k);
    m->scales[k] = (struct few_data_scale){json_number_value(mean), json_number_value(scale)};
    if (!json_is_number(mean) || !json_is_number(scale))
      return bad(r, "one of `mean` or `scale` is not a number");
    if (!(m->scales[k].scale > 0)) return bad(r, "one of `scale` is not above 0");
  }
  return FEW_OK;
}

static few_status read_scale(struct reading *r, few_model *m) {
  if (json_is_array(json_object_get(r->data, "scale"))) return read_scales(r, m);
  FEW_TRY(few__json_real(r->ctx, r->place, r->data, "mean", &m->data_mean));
  FEW_TRY(few__json_real(r->ctx, r->place, r->data, "scale", &m->data_scale));
  return m->data_scale > 0 ? FEW_OK : bad(r, "`scale` is not above 0");
}

static few_status read_class_names(struct reading *r, few_model *m) {
  json_t *names;
  if (!json_object_get(r->data, "class_names")) return FEW_OK;
  FEW_TRY(few__json_array(r->ctx, r->place, r->data, "class_names", &names));
  if (json_array_size(names) != (size_t)m->spec.classes)
    return bad(r, "the length of `class_names` is not `classes`");
  FEW_TRY(FEW_NEW(r->ctx, &m->class_names, m->spec.classes));
  for (int64_t i = 0; i < m->spec.classes; i++) {
    const char *name = json_string_value(json_array_get(names, (size_t)i));
    if (!name) return bad(r, "one of `class_names` is not a text");
    m->class_names[i] = *name ? few__strdup(r->ctx, name) : NULL;
    if (*name && !m->class_names[i])
      return few__fail(r->ctx, FEW_E_MEMORY, "%s: out of memory", r->place);
  }
  return FEW_OK;
}

/* At least one class must occur. */
static few_status read_class_counts(struct reading *r, few_model *m) {
  json_t *counts;
  bool any = false;
  if (!json_object_get(r->data, "class_counts") || !m->spec.classes) return FEW_OK;
  FEW_TRY(few__json_array(r->ctx, r->place, r->data, "class_counts", &counts));
  if (json_array_size(counts) != (size_t)m->spec.classes)
    return bad(r, "the length of `class_counts` is not `classes`");
  FEW_TRY(FEW_NEW(r->ctx, &m->class_counts, m->spec.classes));
  for (int64_t i = 0; i < m->spec.classes; i++) {
    const json_t *count = json_array_get(counts, (size_t)i);
    m->class_counts[i] = json_integer_value(count);
    if (!json_is_integer(count) || m->class_counts[i] < 0 || m->class_counts[i] > INT32_MAX)
      return bad(r, "one of `class_counts` is not an integer from 0 to 2147483647");
    any |= m->class_counts[i] > 0;
  }
  return any ? FEW_OK : bad(r, "all `class_counts` are 0");
}

static few_status read_guidance(struct reading *r, few_model *m) {
  if (!m->spec.guidance) return FEW_OK;
  FEW_TRY(few__json_real(r->ctx, r->place, r->guidance, "min", &m->guidance_min));
  FEW_TRY(few__json_real(r->ctx, r->place, r->guidance, "max", &m->guidance_max));
  return m->guidance_min <= m->guidance_max ? FEW_OK : bad(r, "guidance `min` is above `max`");
}

static few_status read_times(struct reading *r, few_model *m) {
  json_t *part;
  double times[FEW_MODEL_MAX_TIMES];
  if (!json_object_get(r->all, "times")) return FEW_OK;
  FEW_TRY(few__json_array(r->ctx, r->place, r->all, "times", &part));
  const size_t n = json_array_size(part);
  if (n < 1 || n > FEW_MODEL_MAX_TIMES) return bad(r, "`times` is empty, or has over 1024 numbers");
  for (size_t i = 0; i < n; i++) {
    const json_t *t = json_array_get(part, i);
    if (!json_is_number(t)) return bad(r, "one of `times` is not a number");
    times[i] = json_number_value(t);
  }
  few_status st = few__model_set_times(m, (int)n, times);
  if (!st || st == FEW_E_MEMORY) return st;
  return few__fail_in(r->ctx, FEW_E_FORMAT, "%s: `times`", r->place);
}

/* An unknown direction is refused: ignoring it could run the model in the wrong direction. */
static few_status read_direction(struct reading *r, few_model *m) {
  const char *word = "both";
  if (json_object_get(r->all, "direction"))
    FEW_TRY(few__json_string(r->ctx, r->place, r->all, "direction", &word));
  for (int i = 0; i < FEW_DIRECTIONS; i++)
    if (!strcmp(word, few__direction_name((enum few_direction)i))) {
      m->direction = (enum few_direction)i;
      return FEW_OK;
    }
  return bad(r, "`direction` is not one of both, decode, encode");
}

static few_status read_provenance(struct reading *r, few_model *m) {
  json_t *part;
  struct few_text t = {0};
  FEW_TRY(few__json_object(r->ctx, r->place, r->all, "provenance", &part));
  struct few_json j = few__json_begin(r->ctx, &t);
  few__json_put_value(&j, NULL, part);
  few_status st = few__json_end(&j, r->place);
  if (st == FEW_E_INVALID) st = FEW_E_FORMAT; /* nested too deeply */
  if (st) few__text_free(r->ctx, &t);
  m->provenance = t.at;
  return st;
}

/* The text of a value in a resolved recipe, "label_dropout = 0.1"; NULL: no such key. */
static const char *recipe_value(const char *recipe, const char *key) {
  const size_t n = strlen(key);
  for (const char *line = recipe; line; line = strchr(line, '\n')) {
    line += *line == '\n';
    if (!strncmp(line, key, n) && !strncmp(line + n, " = ", 3)) return line + n + 3;
  }
  return NULL;
}

/* Older files do not have `unlabelled`; it follows from label_dropout in their recipe. */
static void guess_unlabelled(const json_t *provenance, struct few_net_spec *s) {
  const char *recipe = json_string_value(json_object_get(provenance, "recipe"));
  const char *dropout = recipe ? recipe_value(recipe, "label_dropout") : NULL;
  const char *joint = recipe ? recipe_value(recipe, "joint") : NULL;
  if (!dropout) return;
  const bool some = few__strtod(dropout, NULL) > 0 || (joint && !strncmp(joint, "yes", 3));
  s->unlabelled = some ? FEW_YES : FEW_NO;
}

static few_status read_unlabelled(struct reading *r, few_model *m) {
  bool some;
  if (!m->spec.classes) return FEW_OK;
  if (!json_object_get(r->all, "unlabelled")) {
    guess_unlabelled(json_object_get(r->all, "provenance"), &m->spec);
    return FEW_OK;
  }
  FEW_TRY(few__json_bool(r->ctx, r->place, r->all, "unlabelled", &some));
  m->spec.unlabelled = some ? FEW_YES : FEW_NO;
  return FEW_OK;
}

static few_status read_rest(struct reading *r, few_model *m) {
  json_t *objective;
  FEW_TRY(few__json_object(r->ctx, r->place, r->all, "objective", &objective));
  FEW_TRY(read_word(r, objective, "name", m->objective));
  if (json_object_get(r->all, "sampler")) FEW_TRY(read_word(r, r->all, "sampler", m->sampler));
  if (json_object_get(r->all, "step"))
    FEW_TRY(few__json_int(r->ctx, r->place, r->all, "step", 0, INT64_MAX, &m->step));
  FEW_TRY(read_scale(r, m));
  FEW_TRY(read_class_names(r, m));
  FEW_TRY(read_class_counts(r, m));
  FEW_TRY(read_guidance(r, m));
  FEW_TRY(read_times(r, m));
  FEW_TRY(read_direction(r, m));
  FEW_TRY(read_unlabelled(r, m));
  return read_provenance(r, m);
}

few_status few__model_from_description(few_ctx *ctx, few_model **out, const char *place,
                                       const char *text, size_t n) {
  struct reading r = {.ctx = ctx, .place = place};
  few_status st;
  *out = NULL;
  if (n > DESCRIPTION_MAX) return bad(&r, "the description is over 16 MiB");
  FEW_TRY(few__json_parse(ctx, &r.all, place, text, n));
  FEW_GOTO(read_version(&r));
  FEW_GOTO(read_net(&r, out));
  FEW_GOTO(read_rest(&r, *out));
out:
  json_decref(r.all);
  if (st) {
    few_model_free(*out);
    *out = NULL;
  }
  return st;
}
