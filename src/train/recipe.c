/* recipe.c - from a recipe's text to components and options. */
#include "recipe.h"

#include <stdio.h>

#include "eval/feature/feature.h"
#include "io/file.h"

typedef struct few_train_keys keys;

static const struct few_option options[] = {
    FEW_OPT_STRING(keys, data, "", "data set: fashion-mnist, toy:mixture, folder:DIR ..."),
    FEW_OPT_STRING(keys, teacher, "", "model to distil, or to start from"),
    FEW_OPT_STRING(keys, init, "teacher",
                   "the student's first weights: teacher (those that it shares), fresh, or those "
                   "of a model, all of them"),
    FEW_OPT_STRING(keys, net, "", "network; without one, the teacher's"),
    FEW_OPT_STRING(
        keys, prediction, "",
        "what the raw network says: few list predictions; otherwise the teacher's, or F"),
    FEW_OPT_STRING(keys, objective, "diffusion", "what to train for; \"scd + vsd\" adds losses"),
    FEW_OPT_STRING(keys, balance, "fixed", "how losses are added: few list balancers"),
    FEW_OPT_INT(keys, data_limit, "0", 0, 1e12,
                "so many items, of all classes in proportion; 0: all"),
    FEW_OPT_INT(keys, data_classes, "0", 0, 65536,
                "idx, npy, npz: labels are 0 .. data_classes - 1; 0: those that occur"),
    FEW_OPT_REAL(keys, data_holdout, "0", 0, 0.9,
                 "share of the data, of all classes, that is kept for evaluations"),
    FEW_OPT_CHOICE(keys, data_on_error, "refuse", "refuse|skip", "broken items"),
    FEW_OPT_INT(keys, size, "0", 0, 4096, "folder: crop and shrink images to this side"),
    FEW_OPT_INT(keys, channels_in, "0", 0, 3, "folder: 1 grey, 3 RGB, 0: as the images are"),
    FEW_OPT_BOOL(keys, labels, "yes", "use the labels of the data; no: unconditional"),
    FEW_OPT_BOOL(keys, flip, "no", "mirror images at random"),
    FEW_OPT_REAL(keys, sigma_data, "0.5", 1e-3, 1e3, "data are scaled to this deviation"),
    FEW_OPT_CHOICE(keys, data_scale, "auto", "auto|one|each",
                   "one scale for all, or one for each coordinate or channel; auto: each where "
                   "they spread very differently"),
    FEW_OPT_REAL(keys, label_dropout, "-1", -1, 1,
                 "chance of training a row without its label, which guidance needs; -1: 0.1 for "
                 "objective diffusion, else 0"),
    FEW_OPT_INT(keys, steps, "1000", 1, 1e9, "optimizer steps"),
    FEW_OPT_INT(keys, batch, "64", 1, 1e6, "rows of a step"),
    FEW_OPT_INT(keys, shards, "8", 1, 4096, "equal parts of a batch, each computed by one worker"),
    FEW_OPT_INT(keys, workers, "0", 0, 256, "threads; 0: all processors. Never changes a result"),
    FEW_OPT_INT(keys, seed, "1", 0, 1e18, "of everything random"),
    FEW_OPT_STRING(keys, optimizer, "adam", "adam, radam"),
    FEW_OPT_REAL(keys, lr, "1e-3", 0, 10, "learning rate"),
    FEW_OPT_CHOICE(keys, lr_shape, "constant", "constant|linear|cosine|invsqrt", "its decay"),
    FEW_OPT_REAL(keys, lr_floor, "0", 0, 1, "linear, cosine: the end, as a share of lr"),
    FEW_OPT_INT(keys, lr_warmup, "0", 0, 1e9, "steps of linear rise"),
    FEW_OPT_INT(keys, lr_reference, "0", 0, 1e9, "invsqrt: steps before the decay begins"),
    FEW_OPT_INT(keys, fake_updates, "1", 1, 1000, "updates of the fake network a step"),
    FEW_OPT_REAL(keys, fake_lr, "0", 0, 10, "its learning rate; 0: the student's"),
    FEW_OPT_INT(keys, pairs, "0", 0, 1e9, "noise-image pairs that the teacher makes first"),
    FEW_OPT_INT(keys, pairs_steps, "0", 0, 10000, "steps of its sampler; 0: the sampler's own"),
    FEW_OPT_REAL(
        keys, pairs_guidance, "1", 0, 100,
        "guidance of the pairs; 1 of a teacher that takes one: each pair's own, from its range"),
    FEW_OPT_REAL(keys, beta1, "0.9", 0, 0.99999, "decay of the first moment"),
    FEW_OPT_REAL(keys, beta2, "0.999", 0, 0.999999, "decay of the second moment"),
    FEW_OPT_REAL(keys, eps, "1e-8", 1e-30, 1, "added to the root of the second moment"),
    FEW_OPT_REAL(keys, weight_decay, "0", 0, 10, "decoupled weight decay"),
    FEW_OPT_REAL(keys, clip, "0", 0, 1e9, "limit of the gradient's norm; 0: none"),
    FEW_OPT_REAL(keys, ema, "0", 0, 1e15, "half-life of the averaged weights in rows; 0: none"),
    FEW_OPT_REAL(keys, ema_ramp, "0.05", 0, 1, "half-life at most this share of the rows seen"),
    FEW_OPT_REAL(keys, ema_power, "0", 0, 0.28, "power-function average instead: its sigma_rel"),
    FEW_OPT_INT(keys, log_every, "50", 1, 1e9, "steps between lines of log.jsonl"),
    FEW_OPT_INT(keys, checkpoint_every, "500", 1, 1e9, "steps between checkpoints"),
    FEW_OPT_REAL(keys, checkpoint_minutes, "5", 0, 1e6,
                 "and at most so many minutes, for a run that is killed; 0: no limit"),
    FEW_OPT_INT(keys, preview_every, "0", 0, 1e9, "steps between preview grids; 0: none"),
    FEW_OPT_INT(keys, preview_n, "64", 1, 65536, "images (or points) of a preview"),
    FEW_OPT_INT(keys, preview_steps, "0", 0, 10000, "steps of its sampler; 0: the sampler's own"),
    FEW_OPT_REAL(keys, preview_guidance, "1", 0, 100, "guidance of the preview"),
    FEW_OPT_INT(keys, eval_every, "0", 0, 1e9,
                "steps between evaluations, whose cost the run says when it begins; 0: none"),
    FEW_OPT_INT(keys, eval_n, "500", 1, 1e9, "images of an evaluation"),
    FEW_OPT_STRING(keys, eval_ref, "",
                   "what they are compared with; otherwise the held-out part of the data, if any"),
    FEW_OPT_STRING(keys, eval_features, "", "in what; otherwise fashion or pixels, by the data"),
    FEW_OPT_STRING(keys, eval_metrics, "",
                   "and how: see few list metrics; fd, of points and energy"),
    FEW_OPT_INT(keys, eval_steps, "0", 0, 10000, "steps of its sampler; 0: the sampler's own"),
    FEW_OPT_REAL(keys, eval_guidance, "1", 0, 100, "guidance of its images"),
    FEW_OPT_CHOICE(keys, eval_labels, "shares", "shares|even",
                   "how often they have each class: as often as what they are compared with, or "
                   "else the data; or equally often"),
    FEW_OPT_REAL(keys, guard_spike, "100", 1, 1e12,
                 "gradient norm, in usual ones, that is a spike"),
    FEW_OPT_INT(keys, guard_patience, "10", 1, 1e6, "spikes in a row before rolling back"),
    FEW_OPT_INT(keys, guard_retries, "3", 0, 100, "roll-backs before giving up"),
    FEW_OPT_STRING(keys, backend, "cpu", "what computes: few backend list"),
    FEW_OPT_CHOICE(keys, precision, "fp32", "fp32|tf32|bf16",
                   "factors of products for matrix units; others than fp32: backend cuda"),
    FEW_OPT_CHOICE(keys, convolution, "fast", "fast|direct",
                   "3x3: by Winograd (relative error about 2e-6), or as defined, 3 times slower"),
    FEW_OPT_CHOICE(keys, weights, "f32", "f32|f16", "number type of model.safetensors"),
    FEW_OPT_END};

/* Keys that leave what is learned alone: a run may go on with others. */
static const char *const free_keys[] = {
    "workers",       "steps",      "log_every",     "preview_every",      "preview_n",
    "preview_steps", "backend",    "guard_retries", "checkpoint_every",   "preview_guidance",
    "weights",       "eval_every", "eval_n",        "eval_ref",           "eval_features",
    "eval_metrics",  "eval_steps", "eval_guidance", "checkpoint_minutes", "eval_labels"};

const struct few_option *few__train_options(void) { return options; }

/* The system opens no path of more than 4,095 bytes: what does not fit here is no file. */
enum { PATH_ROOM = 2 * 4096 };

static few_status read_recipe(few_ctx *ctx, struct few_recipe *out, const char *path) {
  char *text;
  size_t n;
  FEW_TRY(few__file_read(ctx, &text, &n, path, FEW_RECIPE_MAX));
  few_status st = few__recipe_parse(ctx, out, path, text, n);
  few__free(ctx, text);
  return st;
}

static few_status find_recipe(few_ctx *ctx, struct few_recipe *out, const char *name) {
  char path[PATH_ROOM];
  static const struct {
    const char *before, *after;
  } places[] = {{"", ""}, {"recipes/", ""}, {"recipes/", ".ini"}};
  for (int i = 0; i < FEW_COUNT(places); i++) {
    int n = snprintf(path, sizeof path, "%s%s%s", places[i].before, name, places[i].after);
    if (n < (int)sizeof path && few__path_exists(path) && !few__path_is_dir(path))
      return read_recipe(ctx, out, path);
  }
  const char *end = strrchr(name, '.');
  const bool is_file = (end && !strcmp(end, ".ini")) || strchr(name, '/');
  return few__fail(
      ctx, FEW_E_IO, "there is no recipe %s%s%s%s: name an INI file, or one of `few list recipes`",
      name, is_file ? "" : ", nor recipes/", is_file ? "" : name, is_file ? "" : ".ini");
}

/* As named, or else beside the folder of the recipe: recipes that come with few name models that
 * do, wherever both are installed. */
static void find_model(const struct few_run_recipe *r, const char *name, char path[PATH_ROOM]) {
  const char *place = r->recipe.place;
  const int length = (int)(few__path_name(place) - place);
  const int n = snprintf(path, PATH_ROOM, "%.*s../%s", length, place, name);
  if (few__path_exists(name) || name[0] == '/' || n >= PATH_ROOM || !few__path_exists(path))
    snprintf(path, PATH_ROOM, "%s", name);
}

static few_status load_teacher(few_ctx *ctx, struct few_run_recipe *r) {
  char path[PATH_ROOM];
  if (!r->keys.teacher[0]) return FEW_OK;
  find_model(r, r->keys.teacher, path);
  if (strcmp(path, r->keys.teacher) != 0)
    few__log(ctx, FEW_LOG_INFO,
             "teacher: there is no %s here: %s, beside the recipe's folder, is "
             "taken",
             r->keys.teacher, path);
  FEW_TRY(few_model_load(ctx, &r->teacher, path));
  return few__sha256_file(ctx, r->teacher_hash, path);
}

/* A model that is named in place of the words. */
static few_status load_start(few_ctx *ctx, struct few_run_recipe *r) {
  const char *name = r->keys.init;
  char path[PATH_ROOM];
  if (!strcmp(name, "teacher") || !strcmp(name, "fresh")) return FEW_OK;
  find_model(r, name, path);
  if (!few__path_exists(path))
    return few__fail(ctx, FEW_E_INVALID,
                     "%s: init = %s: there is no such file: give teacher, fresh, or a model",
                     r->recipe.place, name);
  if (strcmp(path, name) != 0)
    few__log(ctx, FEW_LOG_INFO,
             "init: there is no %s here: %s, beside the recipe's folder, is "
             "taken",
             name, path);
  FEW_TRY(few_model_load(ctx, &r->start, path));
  return few__sha256_file(ctx, r->start_hash, path);
}

void few__run_recipe_features(const struct few_run_recipe *r, const char *given,
                              char spec[FEW_FEATURES_SPEC]) {
  const bool fashion = !strncmp(r->keys.data, "fashion-mnist", strlen("fashion-mnist"));
  const char *name = given && *given ? given : fashion ? "fashion" : "pixels";
  const char *file = few__features_file(name);
  char path[PATH_ROOM] = "";
  if (file) find_model(r, file, path);
  if (file && strcmp(path, file) != 0)
    snprintf(spec, FEW_FEATURES_SPEC, "%.64s=%s", name, path);
  else
    snprintf(spec, FEW_FEATURES_SPEC, "%s", name);
}

const char *few__run_recipe_features_chosen(const char *given, const char *spec) {
  return (given && *given) || strcmp(spec, "pixels") != 0 ? spec : NULL;
}

static few_status choose(few_ctx *ctx, struct few_run_recipe *r) {
  struct few_train_keys *k = &r->keys;
  FEW_TRY(few__run_objectives(ctx, r));
  FEW_TRY(load_teacher(ctx, r));
  FEW_TRY(load_start(ctx, r));
  if (!k->net[0] && r->teacher) snprintf(k->net, sizeof k->net, "%s", r->teacher->net->name);
  if (!k->net[0])
    return few__fail(ctx, FEW_E_INVALID,
                     "%s: no net: give net = unet, or another of `few list nets`", r->recipe.place);
  r->net = few__net_find(k->net);
  if (!r->net)
    return few__fail(ctx, FEW_E_INVALID,
                     "%s: net = %s: there is none of that name: see `few list "
                     "nets`",
                     r->recipe.place, k->net);
  if (r->objective[0].def->classifies != (r->net->features != NULL))
    return few__fail(ctx, FEW_E_INVALID, "%s: net %s gives %s: objective %s is not for it",
                     r->recipe.place, r->net->name,
                     r->net->features ? "logits, not images" : "images, not logits",
                     r->objective[0].def->name);
  return few__optim_find(ctx, &r->optim, k->optimizer);
}

/* Dropout is how a network is trained and not what it is: the recipe says it, or there is none. */
static few_status inherit_options(few_ctx *ctx, struct few_run_recipe *r) {
  const struct few_option *dropout = few__option_find(r->net->options, "dropout");
  memcpy(r->net_opts, r->teacher->net_opts, r->net->options_size);
  if (!dropout) return FEW_OK;
  const double was = *(const double *)(const void *)((char *)r->net_opts + dropout->offset);
  if (was > 0 && !few__recipe_value(&r->recipe, dropout->key))
    few__log(ctx, FEW_LOG_INFO,
             "teacher %s was trained with dropout = %g, which is not inherited: give dropout to "
             "have any",
             r->keys.teacher, was);
  return few__option_set(ctx, r->net->options, r->net_opts, dropout->key, "0");
}

static few_status read_options(few_ctx *ctx, struct few_run_recipe *r) {
  FEW_TRY(few__new(ctx, &r->net_opts, 1, r->net->options_size));
  FEW_TRY(few__run_objective_options(ctx, r));
  if (r->teacher && r->teacher->net == r->net)
    FEW_TRY(inherit_options(ctx, r));
  else
    FEW_TRY(few__options_default(ctx, r->net->options, r->net_opts));
  return few__recipe_apply(ctx, &r->recipe, r->net->options, r->net_opts);
}

/* A tangent that is still warming up at the last step is a default that was not meant. */
static void warn_of_warmup(few_ctx *ctx, const struct few_run_recipe *r) {
  const struct few_clock end = few__run_clock(r, r->keys.steps, 1);
  for (int i = 0; i < r->n_objectives; i++) {
    const struct few_run_objective *o = &r->objective[i];
    double scalar[FEW_MAX_SCALARS] = {1};
    if (!o->def->warms_up) continue;
    o->def->schedule(o->opts, &end, scalar);
    if (scalar[0] < 1)
      few__log(ctx, FEW_LOG_WARN,
               "%s: steps = %lld end before %stangent_warmup: the tangent reaches %.2g of its "
               "weight",
               r->recipe.place, (long long)r->keys.steps, o->prefix, scalar[0]);
  }
}

static few_status read_optimizer(few_ctx *ctx, struct few_run_recipe *r) {
  const struct few_train_keys *k = &r->keys;
  r->optim_opts = (struct few_optim_opts)FEW_OPTIM_OPTS_INIT;
  r->optim_opts.beta1 = k->beta1;
  r->optim_opts.beta2 = k->beta2;
  r->optim_opts.eps = k->eps;
  r->optim_opts.weight_decay = k->weight_decay;
  FEW_TRY(few__optim_check(ctx, &r->optim_opts));
  if (k->batch % k->shards)
    return few__fail(ctx, FEW_E_INVALID, "%s: batch = %lld is no multiple of shards = %lld",
                     r->recipe.place, (long long)k->batch, (long long)k->shards);
  if (k->steps > ((int64_t)1 << 40) / k->batch)
    return few__fail(ctx, FEW_E_INVALID,
                     "%s: steps = %lld of batch = %lld: at most 2^40 rows a run", r->recipe.place,
                     (long long)k->steps, (long long)k->batch);
  return FEW_OK;
}

static few_status open_data(few_ctx *ctx, struct few_run_recipe *r) {
  const struct few_train_keys *k = &r->keys;
  if (!k->data[0])
    return few__fail(ctx, FEW_E_INVALID,
                     "%s: no data: give data = fashion-mnist, or another of `few "
                     "list data`",
                     r->recipe.place);
  struct few_data_opts o = FEW_DATA_OPTS_INIT;
  o.limit = k->data_limit;
  o.classes = k->data_classes;
  o.holdout = k->data_holdout;
  o.on_error = k->data_on_error;
  o.size = k->size;
  o.channels = k->channels_in;
  FEW_TRY(few_data_open(ctx, &r->data, k->data, &o));
  r->spec = (struct few_net_spec){.h = few_data_h(r->data),
                                  .w = few_data_w(r->data),
                                  .c = few_data_c(r->data),
                                  .points = few_data_get_kind(r->data) == FEW_DATA_POINTS,
                                  .classes = k->labels ? few_data_n_classes(r->data) : 0,
                                  .sigma_data = k->sigma_data};
  return FEW_OK;
}

/* The student's classes are numbered as those of the model that it begins as, or learns from,
 * whatever order the data have them in. */
static few_status map_labels(few_ctx *ctx, struct few_run_recipe *r, const few_model *as,
                             const char *what, const char *name) {
  char data[1100], model[1100];
  snprintf(data, sizeof data, "data %s", r->keys.data);
  snprintf(model, sizeof model, "%s %s", what, name);
  const struct few_classes from = few__data_classes(r->data, data);
  const struct few_classes to = few__model_classes(as, model);
  bool same = true;
  FEW_TRY(FEW_NEW(ctx, &r->label_map, from.n));
  FEW_TRY(few__classes_map(ctx, &from, &to, "give data of the model's classes", r->label_map));
  r->numbered_as = as;
  for (int64_t i = 0; i < from.n; i++) same &= r->label_map[i] == i;
  if (!same) {
    few__log(ctx, FEW_LOG_INFO, "%s: its classes are numbered as those of %s, by name", data,
             model);
    return FEW_OK;
  }
  few__free(ctx, r->label_map);
  r->label_map = NULL;
  return FEW_OK;
}

static few_status fit_teacher(few_ctx *ctx, struct few_run_recipe *r) {
  if (!r->teacher) return FEW_OK;
  const struct few_net_spec *t = &r->teacher->spec;
  if (t->h != r->spec.h || t->w != r->spec.w || t->c != r->spec.c || t->points != r->spec.points)
    return few__fail(ctx, FEW_E_INVALID,
                     "teacher %s makes %lldx%lldx%lld, data %s are %lldx%lldx%lld", r->keys.teacher,
                     (long long)t->h, (long long)t->w, (long long)t->c, r->keys.data,
                     (long long)r->spec.h, (long long)r->spec.w, (long long)r->spec.c);
  if (t->classes && t->classes != few_data_n_classes(r->data))
    return few__fail(ctx, FEW_E_INVALID, "teacher %s knows %lld classes, data %s have %lld",
                     r->keys.teacher, (long long)t->classes, r->keys.data,
                     (long long)few_data_n_classes(r->data));
  r->spec.classes = t->classes;
  r->spec.sigma_data = t->sigma_data;
  return t->classes ? map_labels(ctx, r, r->teacher, "teacher", r->keys.teacher) : FEW_OK;
}

static few_status count_classes(few_ctx *ctx, struct few_run_recipe *r) {
  if (!r->spec.classes) return FEW_OK;
  FEW_TRY(FEW_NEW(ctx, &r->class_counts, r->spec.classes));
  few__data_count(r->data, r->label_map, r->spec.classes, r->class_counts);
  return FEW_OK;
}

/* Weights mean the same only of the same data in the same units. */
/* Its embedding of a class must be that class's here. */
static few_status fit_start_classes(few_ctx *ctx, struct few_run_recipe *r) {
  const few_model *s = r->start;
  if (s->spec.classes != r->spec.classes || !s->spec.classes) return FEW_OK;
  if (!r->numbered_as) return map_labels(ctx, r, s, "init =", r->keys.init);
  char init[1100], teacher[1100];
  snprintf(init, sizeof init, "init = %s", r->keys.init);
  snprintf(teacher, sizeof teacher, "teacher %s", r->keys.teacher);
  const struct few_classes its = few__model_classes(s, init);
  const struct few_classes want = few__model_classes(r->numbered_as, teacher);
  return few__classes_in_order(ctx, &its, &want, "begin as a model that has them in this order");
}

static few_status fit_start(few_ctx *ctx, struct few_run_recipe *r) {
  const few_model *s = r->start;
  if (!s) return FEW_OK;
  const struct few_net_spec *a = &s->spec, *b = &r->spec;
  if (a->h != b->h || a->w != b->w || a->c != b->c || a->points != b->points)
    return few__fail(ctx, FEW_E_INVALID,
                     "init = %s: it makes %lldx%lldx%lld, data %s are %lldx%lldx%lld", r->keys.init,
                     (long long)a->h, (long long)a->w, (long long)a->c, r->keys.data,
                     (long long)b->h, (long long)b->w, (long long)b->c);
  const few_model *t = r->teacher;
  if (a->sigma_data == b->sigma_data && (!t || few__model_same_scale(s, t)))
    return fit_start_classes(ctx, r);
  return few__fail(ctx, FEW_E_INVALID,
                   "init = %s: it was trained on data of another mean or deviation than %s: give "
                   "init = teacher",
                   r->keys.init, t ? r->keys.teacher : "sigma_data says");
}

/* Whatever it is, the loss and the samplers see F. */
static few_status choose_prediction(few_ctx *ctx, struct few_run_recipe *r) {
  char *name = r->keys.prediction;
  if (r->objective[0].def->classifies) {
    if (!name[0]) return FEW_OK;
    return few__fail(ctx, FEW_E_INVALID, "%s: prediction = %s of a classifier: leave it out",
                     r->recipe.place, name);
  }
  if (!name[0])
    snprintf(name, sizeof r->keys.prediction, "%s",
             few__predict_name(r->teacher ? r->teacher->spec.predicts : FEW_PREDICT_F));
  if (!few__predict_find(ctx, &r->spec.predicts, name)) return FEW_OK;
  return few__fail_in(ctx, FEW_E_INVALID, "%s", r->recipe.place);
}

few_status few__run_net_check(few_ctx *ctx, const struct few_run_recipe *r) {
  if (!r->net->check) return FEW_OK;
  const few_status st = r->net->check(ctx, &r->spec, r->net_opts);
  return st ? few__fail_in(ctx, st, "%s", r->recipe.place) : FEW_OK;
}

static few_status resolve(few_ctx *ctx, struct few_run_recipe *r) {
  FEW_TRY(few__options_default(ctx, options, &r->keys));
  FEW_TRY(few__recipe_apply(ctx, &r->recipe, options, &r->keys));
  FEW_TRY(choose(ctx, r));
  FEW_TRY(read_options(ctx, r));
  FEW_TRY(few__recipe_check(ctx, &r->recipe));
  FEW_TRY(read_optimizer(ctx, r));
  FEW_TRY(open_data(ctx, r));
  FEW_TRY(fit_teacher(ctx, r));
  FEW_TRY(fit_start(ctx, r));
  FEW_TRY(count_classes(ctx, r));
  FEW_TRY(choose_prediction(ctx, r));
  FEW_TRY(few__run_objective_fit(ctx, r));
  FEW_TRY(few__run_lr(ctx, r));
  warn_of_warmup(ctx, r);
  return few__run_warn_ignored(ctx, r);
}

few_status few__run_recipe_open(few_ctx *ctx, struct few_run_recipe *out,
                                const struct few_train_opts *opts) {
  *out = (struct few_run_recipe){0};
  if (!opts->recipe || !opts->run)
    return few__fail(ctx, FEW_E_INVALID, "train: name a recipe and a run directory");
  FEW_TRY(few__opts_texts(ctx, "overrides", opts->n_overrides, opts->overrides));
  few_status st = find_recipe(ctx, &out->recipe, opts->recipe);
  for (int i = 0; !st && i < opts->n_overrides; i++)
    st = few__recipe_override(ctx, &out->recipe, opts->overrides[i]);
  if (!st) st = resolve(ctx, out);
  if (st) few__run_recipe_close(ctx, out);
  return st;
}

void few__run_recipe_close(few_ctx *ctx, struct few_run_recipe *r) {
  few_data_free(r->data);
  few__free(ctx, r->label_map);
  few__free(ctx, r->class_counts);
  few_model_free(r->teacher);
  few_model_free(r->start);
  few_model_free(r->fake);
  for (int i = 0; i < r->n_objectives; i++) few__free(ctx, r->objective[i].opts);
  few__free(ctx, r->net_opts);
  few__recipe_free(ctx, &r->recipe);
  *r = (struct few_run_recipe){0};
}

few_status few__run_recipe_text(few_ctx *ctx, const struct few_run_recipe *r,
                                struct few_text *out) {
  few__text_add(ctx, out, "# As resolved: every key with its value.\n");
  few__recipe_put_section(ctx, out, "run");
  FEW_TRY(few__recipe_put_options(ctx, out, "", options, &r->keys));
  FEW_TRY(few__run_objective_text(ctx, r, out));
  few__recipe_put_section(ctx, out, "net");
  FEW_TRY(few__recipe_put_options(ctx, out, "", r->net->options, r->net_opts));
  return out->failed ? few__fail(ctx, FEW_E_MEMORY, "out of memory: recipe text") : FEW_OK;
}

bool few__run_recipe_free_key(const char *key) {
  for (int i = 0; i < FEW_COUNT(free_keys); i++)
    if (!strcmp(free_keys[i], key)) return true;
  return false;
}

static few_status read_steps(few_ctx *ctx, const struct few_recipe *old, int64_t *steps) {
  const char *value = few__recipe_value(old, "steps");
  struct few_train_keys was;
  *steps = 0;
  if (!value)
    return few__fail(ctx, FEW_E_FORMAT,
                     "%s has no steps, so it is not what few wrote: take another run directory",
                     old->place);
  FEW_TRY(few__option_set(ctx, options, &was, "steps", value));
  *steps = was.steps;
  return FEW_OK;
}

/* Is the value the name of something whose content a checkpoint's identity holds? */
static bool named_by_hash(const char *key, const char *was, const char *now) {
  return (!strcmp(key, "data") || !strcmp(key, "teacher")) && was && *was && *now;
}

few_status few__run_recipe_same(few_ctx *ctx, const struct few_run_recipe *r, const char *path,
                                struct few_run_before *before) {
  struct few_recipe old = {0}, now = {0};
  struct few_text text = {0};
  few_status st;
  FEW_GOTO(few__run_recipe_text(ctx, r, &text));
  FEW_GOTO(few__recipe_parse(ctx, &now, "this recipe", text.at, text.len));
  FEW_GOTO(read_recipe(ctx, &old, path));
  *before = (struct few_run_before){0};
  FEW_GOTO(read_steps(ctx, &old, &before->steps));
  for (int i = 0; i < now.n; i++) {
    const char *was = few__recipe_value(&old, now.at[i].key);
    bool added = !was && !few__recipe_value(&r->recipe, now.at[i].key); /* a newer few's default */
    if (added || few__run_recipe_free_key(now.at[i].key) || (was && !strcmp(was, now.at[i].value)))
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
