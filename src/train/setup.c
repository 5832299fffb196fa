/* setup.c - see setup.h. */
#include "setup.h"

#include <stdio.h>

#include "eval/feature/feature.h"
#include "io/file.h"

/* Linux cannot open a path of more than 4,095 bytes, so a name that does not fit is not a file. */
enum { PATH_ROOM = 2 * 4096 };

/* The path of a model: `name` itself if it exists, or else `name` beside the recipe's folder. So
 * recipes that come with few find models that come with few, wherever both are installed. */
static void find_model(const struct few_setup *setup, const char *name, char path[PATH_ROOM]) {
  const char *place = setup->config.recipe.place;
  const int length = (int)(few__path_name(place) - place);
  const int n = snprintf(path, PATH_ROOM, "%.*s../%s", length, place, name);
  if (few__path_exists(name) || name[0] == '/' || n >= PATH_ROOM || !few__path_exists(path))
    snprintf(path, PATH_ROOM, "%s", name);
}

static few_status load_teacher(few_ctx *ctx, struct few_setup *setup) {
  char path[PATH_ROOM];
  if (!setup->config.keys.teacher[0]) return FEW_OK;
  find_model(setup, setup->config.keys.teacher, path);
  if (strcmp(path, setup->config.keys.teacher) != 0)
    few__log(ctx, FEW_LOG_INFO,
             "teacher: there is no %s here: %s, beside the recipe's folder, is "
             "taken",
             setup->config.keys.teacher, path);
  FEW_TRY(few_model_load(&setup->teacher, ctx, path));
  return few__sha256_file(ctx, setup->teacher_hash, path);
}

/* Loads the model that `init` names, unless it is "teacher" or "fresh". */
static few_status load_start(few_ctx *ctx, struct few_setup *setup) {
  const char *name = setup->config.keys.init;
  char path[PATH_ROOM];
  if (!strcmp(name, "teacher") || !strcmp(name, "fresh")) return FEW_OK;
  find_model(setup, name, path);
  if (!few__path_exists(path))
    return few__fail(ctx, FEW_E_INVALID,
                     "%s: init = %s: there is no such file: give teacher, fresh, or a model",
                     setup->config.recipe.place, name);
  if (strcmp(path, name) != 0)
    few__log(ctx, FEW_LOG_INFO,
             "init: there is no %s here: %s, beside the recipe's folder, is "
             "taken",
             name, path);
  FEW_TRY(few_model_load(&setup->start, ctx, path));
  return few__sha256_file(ctx, setup->start_hash, path);
}

void few__setup_features(const struct few_setup *setup, const char *given,
                         char spec[FEW_FEATURES_SPEC]) {
  const bool fashion = !strncmp(setup->config.keys.data, "fashion-mnist", strlen("fashion-mnist"));
  const char *name = given && *given ? given : fashion ? "fashion" : "pixels";
  const char *file = few__features_file(name);
  char path[PATH_ROOM] = "";
  if (file) find_model(setup, file, path);
  if (file && strcmp(path, file) != 0)
    snprintf(spec, FEW_FEATURES_SPEC, "%.64s=%s", name, path);
  else
    snprintf(spec, FEW_FEATURES_SPEC, "%s", name);
}

const char *few__setup_features_chosen(const char *given, const char *spec) {
  return (given && *given) || strcmp(spec, "pixels") != 0 ? spec : NULL;
}

static few_status choose_net(few_ctx *ctx, struct few_setup *setup) {
  struct few_train_keys *k = &setup->config.keys;
  const char *place = setup->config.recipe.place;
  const struct few_objective_def *objective = setup->config.objective[0].def;
  const few_model *like = setup->teacher ? setup->teacher : setup->start;
  if (!k->net[0] && like) snprintf(k->net, sizeof k->net, "%s", like->net->name);
  if (!k->net[0])
    return few__fail(ctx, FEW_E_INVALID,
                     "%s: no net: give net = unet, or another of `few list nets`", place);
  setup->net = few__net_find(ctx, k->net);
  if (!setup->net)
    return few__fail(ctx, FEW_E_INVALID,
                     "%s: net = %s: there is no such network: see `few list nets`", place, k->net);
  if (objective->classifies == (setup->net->features != NULL)) return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID, "%s: net %s outputs %s, which objective %s cannot train",
                   place, setup->net->name,
                   setup->net->features ? "logits, not images" : "images, not logits",
                   objective->name);
}

/* The student inherits the options of a network of its kind, except dropout, which belongs to a
 * training and not to a network. */
static few_status inherit_options(few_ctx *ctx, struct few_setup *setup, const few_model *from) {
  const struct few_option *dropout = few_option_find(setup->net->options, "dropout");
  memcpy(setup->net_opts, from->net_opts, setup->net->options_size);
  if (!dropout) return FEW_OK;
  const double was = *(const double *)(const void *)((char *)setup->net_opts + dropout->offset);
  if (was > 0 && !few__recipe_value(&setup->config.recipe, dropout->key))
    few__log(ctx, FEW_LOG_INFO,
             "%s %s was trained with dropout = %g, which the student does not inherit: give "
             "dropout for the student",
             from == setup->teacher ? "teacher" : "init =",
             from == setup->teacher ? setup->config.keys.teacher : setup->config.keys.init, was);
  return few_option_set(setup->net_opts, ctx, setup->net->options, dropout->key, "0");
}

static few_status read_options(few_ctx *ctx, struct few_setup *setup) {
  FEW_TRY(few__new(ctx, &setup->net_opts, 1, setup->net->options_size));
  if (setup->teacher && setup->teacher->net == setup->net)
    FEW_TRY(inherit_options(ctx, setup, setup->teacher));
  else if (setup->start && setup->start->net == setup->net)
    FEW_TRY(inherit_options(ctx, setup, setup->start));
  else
    FEW_TRY(few_options_default(setup->net_opts, ctx, setup->net->options));
  return few__recipe_apply(ctx, &setup->config.recipe, setup->net->options, setup->net_opts);
}

/* Warns if the run is shorter than the ramp of the tangent (scalar[0] of the losses), which is
 * probably a mistake. */
static void warn_of_warmup(few_ctx *ctx, const struct few_setup *setup) {
  const struct few_clock end = few__config_clock(&setup->config, setup->config.keys.steps, 1);
  for (int i = 0; i < setup->config.n_objectives; i++) {
    const struct few_config_objective *o = &setup->config.objective[i];
    double scalar[FEW_MAX_SCALARS] = {1};
    if (!o->def->warms_up) continue;
    o->def->schedule(scalar, o->opts, &end);
    if (scalar[0] < 1)
      few__log(ctx, FEW_LOG_WARN,
               "%s: steps = %lld end before %stangent_warmup: the tangent reaches %.2g of its "
               "weight",
               setup->config.recipe.place, (long long)setup->config.keys.steps, o->prefix,
               scalar[0]);
  }
}

static few_status open_named(few_ctx *ctx, struct few_setup *setup) {
  const struct few_train_keys *k = &setup->config.keys;
  if (!k->data[0])
    return few__fail(ctx, FEW_E_INVALID,
                     "%s: no data: give data = fashion-mnist, or another of `few "
                     "list data`",
                     setup->config.recipe.place);
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  o.limit = k->data_limit;
  o.classes = k->data_classes;
  o.holdout = k->data_holdout;
  o.on_error = k->data_on_error;
  o.size = k->size;
  o.channels = k->channels_in;
  o.fit = k->fit;
  o.background = k->background;
  FEW_TRY(few_data_open(&setup->opened, ctx, k->data, &o));
  setup->data = setup->opened;
  return FEW_OK;
}

/* Opens the data, and takes from them the shape of the student. */
static few_status open_data(few_ctx *ctx, struct few_setup *setup) {
  const struct few_train_keys *k = &setup->config.keys;
  if (!setup->data) FEW_TRY(open_named(ctx, setup));
  setup->spec = (struct few_net_spec){.h = few_data_h(setup->data),
                                      .w = few_data_w(setup->data),
                                      .c = few_data_c(setup->data),
                                      .points = few_data_get_kind(setup->data) == FEW_DATA_POINTS,
                                      .augment = k->augment.p > 0 ? FEW_AUGMENT_LABELS : 0,
                                      .classes = k->labels ? few_data_n_classes(setup->data) : 0,
                                      .sigma_data = k->sigma_data};
  return FEW_OK;
}

/* Numbers the student's classes as those of model `as`, from which it learns or starts. The data
 * may have them in another order. */
static few_status map_labels(few_ctx *ctx, struct few_setup *setup, const few_model *as,
                             const char *what, const char *name) {
  char data[1100], model[1100];
  snprintf(data, sizeof data, "data %s", setup->config.keys.data);
  snprintf(model, sizeof model, "%s %s", what, name);
  const struct few_classes from = few__data_classes(setup->data, data);
  const struct few_classes to = few__model_classes(as, model);
  bool same = true;
  FEW_TRY(FEW_NEW(ctx, &setup->label_map, from.n));
  FEW_TRY(few__classes_map(ctx, &from, &to, "give data of the model's classes", setup->label_map));
  setup->numbered_as = as;
  for (int64_t i = 0; i < from.n; i++) same &= setup->label_map[i] == i;
  if (!same) {
    few__log(ctx, FEW_LOG_INFO, "%s: classes are matched by name and numbered as in %s", data,
             model);
    return FEW_OK;
  }
  few__free(ctx, setup->label_map);
  setup->label_map = NULL;
  return FEW_OK;
}

/* A network takes the state of the process that its weights were trained for. */
static void take_process(struct few_setup *setup, const few_model *from) {
  if (from->net != setup->net) return;
  setup->spec.process = from->spec.process;
  setup->spec.betas = from->spec.betas;
}

static few_status fit_teacher(few_ctx *ctx, struct few_setup *setup) {
  if (!setup->teacher) return FEW_OK;
  const struct few_net_spec *t = &setup->teacher->spec;
  if (t->h != setup->spec.h || t->w != setup->spec.w || t->c != setup->spec.c ||
      t->points != setup->spec.points)
    return few__fail(ctx, FEW_E_INVALID,
                     "teacher %s makes %lldx%lldx%lld, data %s are %lldx%lldx%lld",
                     setup->config.keys.teacher, (long long)t->h, (long long)t->w, (long long)t->c,
                     setup->config.keys.data, (long long)setup->spec.h, (long long)setup->spec.w,
                     (long long)setup->spec.c);
  if (t->classes && t->classes != few_data_n_classes(setup->data))
    return few__fail(ctx, FEW_E_INVALID, "teacher %s has %lld classes, data %s have %lld",
                     setup->config.keys.teacher, (long long)t->classes, setup->config.keys.data,
                     (long long)few_data_n_classes(setup->data));
  setup->spec.classes = t->classes;
  setup->spec.sigma_data = t->sigma_data;
  take_process(setup, setup->teacher);
  return t->classes ? map_labels(ctx, setup, setup->teacher, "teacher", setup->config.keys.teacher)
                    : FEW_OK;
}

static few_status count_classes(few_ctx *ctx, struct few_setup *setup) {
  if (!setup->spec.classes) return FEW_OK;
  FEW_TRY(FEW_NEW(ctx, &setup->class_counts, setup->spec.classes));
  few__data_count(setup->data, setup->label_map, setup->spec.classes, setup->class_counts);
  return FEW_OK;
}

/* Each class must have the number that it has in the model whose weights are taken. */
static few_status fit_start_classes(few_ctx *ctx, struct few_setup *setup) {
  const few_model *s = setup->start;
  if (s->spec.classes != setup->spec.classes || !s->spec.classes) return FEW_OK;
  if (!setup->numbered_as) return map_labels(ctx, setup, s, "init =", setup->config.keys.init);
  char init[1100], teacher[1100];
  snprintf(init, sizeof init, "init = %s", setup->config.keys.init);
  snprintf(teacher, sizeof teacher, "teacher %s", setup->config.keys.teacher);
  const struct few_classes its = few__model_classes(s, init);
  const struct few_classes want = few__model_classes(setup->numbered_as, teacher);
  return few__classes_in_order(ctx, &its, &want, "begin as a model that has them in this order");
}

/* The weights of `init` fit only data of the same shape, in the same units. */
static few_status fit_start(few_ctx *ctx, struct few_setup *setup) {
  const few_model *s = setup->start;
  if (!s) return FEW_OK;
  take_process(setup, s);
  const struct few_net_spec *a = &s->spec, *b = &setup->spec;
  if (a->h != b->h || a->w != b->w || a->c != b->c || a->points != b->points)
    return few__fail(ctx, FEW_E_INVALID,
                     "init = %s: it makes %lldx%lldx%lld, data %s are %lldx%lldx%lld",
                     setup->config.keys.init, (long long)a->h, (long long)a->w, (long long)a->c,
                     setup->config.keys.data, (long long)b->h, (long long)b->w, (long long)b->c);
  const few_model *t = setup->teacher;
  if (a->sigma_data == b->sigma_data && (!t || few__model_same_scale(s, t)))
    return fit_start_classes(ctx, setup);
  return few__fail(ctx, FEW_E_INVALID,
                   "init = %s: it was trained on data of another mean or deviation than %s: give "
                   "init = teacher",
                   setup->config.keys.init, t ? setup->config.keys.teacher : "sigma_data says");
}

/* Any prediction fits any objective, since losses and samplers convert it to F. The default is that
 * of the model with which the student begins, so that the weights of its last layer fit. */
static few_status choose_prediction(few_ctx *ctx, struct few_setup *setup) {
  const few_model *from = setup->teacher ? setup->teacher : setup->start;
  char *name = setup->config.keys.prediction;
  if (setup->config.objective[0].def->classifies) {
    if (!name[0]) return FEW_OK;
    return few__fail(ctx, FEW_E_INVALID, "%s: prediction = %s: a classifier has none: leave it out",
                     setup->config.recipe.place, name);
  }
  if (!name[0])
    snprintf(name, sizeof setup->config.keys.prediction, "%s",
             few__predict_name(from ? from->spec.predicts : FEW_PREDICT_F));
  if (!few__predict_find(ctx, &setup->spec.predicts, name)) return FEW_OK;
  return few__fail_in(ctx, FEW_E_INVALID, "%s", setup->config.recipe.place);
}

few_status few__setup_check_net(few_ctx *ctx, const struct few_setup *setup) {
  if (!setup->net->check) return FEW_OK;
  const few_status st = setup->net->check(ctx, &setup->spec, setup->net_opts);
  return st ? few__fail_in(ctx, st, "%s", setup->config.recipe.place) : FEW_OK;
}

static few_status open_all(few_ctx *ctx, struct few_setup *setup) {
  FEW_TRY(load_teacher(ctx, setup));
  FEW_TRY(load_start(ctx, setup));
  FEW_TRY(choose_net(ctx, setup));
  FEW_TRY(read_options(ctx, setup));
  FEW_TRY(few__recipe_check(ctx, &setup->config.recipe));
  FEW_TRY(open_data(ctx, setup));
  FEW_TRY(fit_teacher(ctx, setup));
  FEW_TRY(fit_start(ctx, setup));
  FEW_TRY(count_classes(ctx, setup));
  FEW_TRY(choose_prediction(ctx, setup));
  FEW_TRY(few__setup_fit(ctx, setup));
  warn_of_warmup(ctx, setup);
  return few__setup_warn_ignored(ctx, setup);
}

few_status few__setup_open(few_ctx *ctx, struct few_setup *out, const struct few_train_opts *opts) {
  *out = (struct few_setup){0};
  few_status st = few__config_read(ctx, &out->config, opts);
  out->data = opts->data;
  if (!st) st = open_all(ctx, out);
  if (st) few__setup_close(ctx, out);
  return st;
}

void few__setup_close(few_ctx *ctx, struct few_setup *setup) {
  few_data_free(setup->opened);
  few__free(ctx, setup->label_map);
  few__free(ctx, setup->class_counts);
  few_model_free(setup->teacher);
  few_model_free(setup->start);
  few_model_free(setup->fake);
  few__free(ctx, setup->net_opts);
  few__config_free(ctx, &setup->config);
  *setup = (struct few_setup){0};
}

few_status few__setup_text(few_ctx *ctx, const struct few_setup *setup, struct few_text *out) {
  few__text_add(ctx, out, "# As resolved: every key with its value.\n");
  few__recipe_put_section(ctx, out, "run");
  FEW_TRY(few__recipe_put_options(ctx, out, "", few__train_options(), &setup->config.keys));
  FEW_TRY(few__config_objective_text(ctx, &setup->config, out));
  few__recipe_put_section(ctx, out, "net");
  FEW_TRY(few__recipe_put_options(ctx, out, "", setup->net->options, setup->net_opts));
  return out->failed ? few__fail(ctx, FEW_E_MEMORY, "out of memory: recipe text") : FEW_OK;
}

static few_status read_steps(few_ctx *ctx, const struct few_recipe *old, int64_t *steps) {
  const char *value = few__recipe_value(old, "steps");
  struct few_train_keys was;
  *steps = 0;
  if (!value)
    return few__fail(ctx, FEW_E_FORMAT,
                     "%s has no key steps, so few did not write it: take another run directory",
                     old->place);
  FEW_TRY(few_option_set(&was, ctx, few__train_options(), "steps", value));
  *steps = was.steps;
  return FEW_OK;
}

/* May the value differ because the checkpoints have a hash of what it names? */
static bool named_by_hash(const char *key, const char *was, const char *now) {
  return (!strcmp(key, "data") || !strcmp(key, "teacher")) && was && *was && *now;
}

few_status few__setup_same_run(few_ctx *ctx, const struct few_setup *setup, const char *path,
                               struct few_previous_run *before) {
  struct few_recipe old = {0}, now = {0};
  struct few_text text = {0};
  few_status st;
  FEW_GOTO(few__setup_text(ctx, setup, &text));
  FEW_GOTO(few__recipe_parse(ctx, &now, "this recipe", text.at, text.len));
  FEW_GOTO(few__config_parse_file(ctx, &old, path));
  *before = (struct few_previous_run){0};
  FEW_GOTO(read_steps(ctx, &old, &before->steps));
  for (int i = 0; i < now.n; i++) {
    const char *was = few__recipe_value(&old, now.at[i].key);
    bool added = !was && !few__recipe_value(&setup->config.recipe,
                                            now.at[i].key); /* a newer few's default */
    if (added || few__config_free_key(now.at[i].key) || (was && !strcmp(was, now.at[i].value)))
      continue;
    if (named_by_hash(now.at[i].key, was, now.at[i].value)) {
      before->moved = true;
      continue;
    }
    st = few__fail(ctx, FEW_E_INVALID,
                   "%s was run with %s = %s, now it is %s: take another run "
                   "directory, or the old value",
                   path, now.at[i].key, was ? was : "(nothing)", now.at[i].value);
    goto out;
  }
out:
  few__recipe_free(ctx, &old);
  few__recipe_free(ctx, &now);
  few__text_free(ctx, &text);
  return st;
}
