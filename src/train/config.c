/* config.c - see config.h. */
#include "config.h"

#include <stdio.h>

#include "few/data.h"
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

/* Linux opens no path of more than 4,095 bytes, so a name that does not fit is no file. */
enum { PATH_ROOM = 2 * 4096 };

few_status few__config_parse_file(few_ctx *ctx, struct few_recipe *out, const char *path) {
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
      return few__config_parse_file(ctx, out, path);
  }
  const char *end = strrchr(name, '.');
  const bool is_file = (end && !strcmp(end, ".ini")) || strchr(name, '/');
  return few__fail(
      ctx, FEW_E_IO, "there is no recipe %s%s%s%s: name an INI file, or one of `few list recipes`",
      name, is_file ? "" : ", nor recipes/", is_file ? "" : name, is_file ? "" : ".ini");
}

static few_status read_optimizer(few_ctx *ctx, struct few_config *c) {
  const struct few_train_keys *k = &c->keys;
  c->optim_opts = (struct few_optim_opts)FEW_OPTIM_OPTS_INIT;
  c->optim_opts.beta1 = k->beta1;
  c->optim_opts.beta2 = k->beta2;
  c->optim_opts.eps = k->eps;
  c->optim_opts.weight_decay = k->weight_decay;
  FEW_TRY(few__optim_check(ctx, &c->optim_opts));
  if (k->batch % k->shards)
    return few__fail(ctx, FEW_E_INVALID, "%s: batch = %lld is no multiple of shards = %lld",
                     c->recipe.place, (long long)k->batch, (long long)k->shards);
  if (k->steps > ((int64_t)1 << 40) / k->batch)
    return few__fail(ctx, FEW_E_INVALID,
                     "%s: steps = %lld of batch = %lld: at most 2^40 rows a run", c->recipe.place,
                     (long long)k->steps, (long long)k->batch);
  return FEW_OK;
}

bool few__config_free_key(const char *key) {
  for (int i = 0; i < FEW_COUNT(free_keys); i++)
    if (!strcmp(free_keys[i], key)) return true;
  return false;
}

struct few_clock few__config_clock(const struct few_config *c, int64_t step, double stretch) {
  const struct few_config_objective *o = &c->objective[0];
  assert(c->n_objectives > 0 && step >= 0 && stretch >= 1);
  const int stages = o->def->stages ? o->def->stages(o->opts) : 1;
  const int64_t each = c->keys.steps / stages;
  int stage = each > 0 ? (int)(step / each) : 0;
  if (stage >= stages) stage = stages - 1;
  return (struct few_clock){step, c->keys.steps, stage, stages, step - stage * each, each, stretch};
}

static few_status check_stages(few_ctx *ctx, const struct few_config *c) {
  const int stages = few__config_clock(c, 0, 1).stages;
  if (c->keys.steps % stages == 0) return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID,
                   "%s: steps = %lld cannot be cut into the %d stages of objective %s: take a "
                   "multiple of %d",
                   c->recipe.place, (long long)c->keys.steps, stages, c->keys.objective, stages);
}

static few_status read_values(few_ctx *ctx, struct few_config *c) {
  FEW_TRY(few_options_default(ctx, options, &c->keys));
  FEW_TRY(few__recipe_apply(ctx, &c->recipe, options, &c->keys));
  FEW_TRY(few__config_objectives(ctx, c));
  FEW_TRY(few__optim_find(ctx, &c->optim, c->keys.optimizer));
  FEW_TRY(few__config_objective_options(ctx, c));
  FEW_TRY(read_optimizer(ctx, c));
  FEW_TRY(check_stages(ctx, c));
  return few__config_lr(ctx, c);
}

/* From a file, from memory, or empty: then the overrides are the recipe. */
static few_status open_recipe(few_ctx *ctx, struct few_recipe *out,
                              const struct few_train_opts *opts) {
  const char *text = opts->text ? opts->text : "";
  if (opts->recipe && opts->text)
    return few__fail(ctx, FEW_E_INVALID,
                     "train: recipe %s, and a text besides: give one of the two", opts->recipe);
  if (!opts->recipe && !opts->text && !opts->n_overrides)
    return few__fail(ctx, FEW_E_INVALID, "train: name a recipe, or give its pairs key=value");
  if (opts->recipe) return find_recipe(ctx, out, opts->recipe);
  return few__recipe_parse(ctx, out, "recipe", text, strlen(text));
}

/* Data of the program: the key `data` is what these are called. */
static few_status name_data(few_ctx *ctx, struct few_recipe *recipe, const char *spec) {
  struct few_text pair = {0};
  few__text_add(ctx, &pair, "data=%s", spec);
  few_status st = pair.failed ? few__fail(ctx, FEW_E_MEMORY, "out of memory")
                              : few__recipe_override(ctx, recipe, pair.at);
  few__text_free(ctx, &pair);
  return st;
}

few_status few__config_read(few_ctx *ctx, struct few_config *out,
                            const struct few_train_opts *opts) {
  *out = (struct few_config){0};
  FEW_TRY(few__opts_texts(ctx, "overrides", opts->n_overrides, opts->overrides));
  few_status st = open_recipe(ctx, &out->recipe, opts);
  for (int i = 0; !st && i < opts->n_overrides; i++)
    st = few__recipe_override(ctx, &out->recipe, opts->overrides[i]);
  if (!st && opts->data) st = name_data(ctx, &out->recipe, few_data_spec(opts->data));
  if (!st) st = read_values(ctx, out);
  if (st) few__config_free(ctx, out);
  return st;
}

void few__config_free(few_ctx *ctx, struct few_config *c) {
  for (int i = 0; i < c->n_objectives; i++) few__free(ctx, c->objective[i].opts);
  few__recipe_free(ctx, &c->recipe);
  *c = (struct few_config){0};
}
