/* config.c - see config.h. */
#include "config.h"

#include <stdio.h>

#include "few/data.h"
#include "io/file.h"

typedef struct few_train_keys keys;

static const struct few_option options[] = {
    FEW_OPT_STRING(keys, data, "", "data set: fashion-mnist, toy:mixture, folder:DIR ..."),
    FEW_OPT_STRING(keys, teacher, "", "file of the model to distil, or to start from"),
    FEW_OPT_STRING(keys, init, "teacher",
                   "first weights of the student: teacher: those that both networks share; fresh: "
                   "random; or the file of a model of the same network"),
    FEW_OPT_STRING(keys, net, "", "network: see few list nets; empty: the teacher's"),
    FEW_OPT_STRING(keys, prediction, "",
                   "what the raw network predicts: see few list predictions; empty: as the "
                   "teacher or init, or F without them"),
    FEW_OPT_STRING(keys, objective, "diffusion",
                   "what to train for: see few list objectives; \"scd + vsd\" adds two losses"),
    FEW_OPT_STRING(keys, balance, "fixed", "how several losses are added: see few list balancers"),
    FEW_OPT_INT(keys, data_limit, "0", 0, 1e12,
                "use this many items, with the class shares of the data; 0: all"),
    FEW_OPT_INT(keys, data_classes, "0", 0, 65536,
                "idx, npy, npz, webdataset: labels are 0 to data_classes - 1; 0: the labels that "
                "occur"),
    FEW_OPT_REAL(keys, data_holdout, "0", 0, 0.9,
                 "share of each class of the data to hold out for evaluations"),
    FEW_OPT_CHOICE(keys, data_on_error, "refuse", "refuse|skip",
                   "what to do with a broken item: fail, or leave it out and count it"),
    FEW_OPT_INT(keys, size, "0", 0, 4096,
                "image files: make images square with this side in pixels, by fit; "
                "0: as they are"),
    FEW_OPT_CHOICE(keys, fit, "crop", "crop|pad|stretch",
                   "image files, with size: keep the central square, pad to a square, or distort"),
    FEW_OPT_ROW(keys, background, "background", FEW_OPTION_COLOUR, NULL, "255", 0, 0, NULL,
                "image files: colour behind transparent pixels and around padded images", false),
    FEW_OPT_INT(keys, channels_in, "0", 0, 3, "image files: 1 grey, 3 RGB; 0: as the images are"),
    FEW_OPT_BOOL(keys, labels, "yes", "use the labels of the data; no: train unconditionally"),
    FEW_OPT_BOOL(keys, flip, "no", "mirror half of the images, at random"),
    FEW_AUGMENT_OPTIONS(keys, augment),
    FEW_OPT_REAL(keys, sigma_data, "0.5", 1e-3, 1e3,
                 "standard deviation to which the data are scaled"),
    FEW_OPT_CHOICE(keys, data_scale, "auto", "auto|one|each",
                   "one: one scale for all values; each: one for each coordinate or channel; auto: "
                   "each if their standard deviations differ much"),
    FEW_OPT_REAL(keys, label_dropout, "-1", -1, 1,
                 "probability of training a row without its label, which guidance needs; -1: 0.1 "
                 "for objective diffusion, 0 for others"),
    FEW_OPT_INT(keys, steps, "1000", 1, 1e9, "optimizer steps"),
    FEW_OPT_INT(keys, batch, "64", 1, 1e6, "rows per step"),
    FEW_OPT_INT(keys, shards, "8", 1, 4096, "equal parts of a batch, each computed by one worker"),
    FEW_OPT_INT(keys, workers, "0", 0, 256, "threads; 0: all processors. Never changes a result"),
    FEW_OPT_INT(keys, seed, "1", 0, 1e18, "seed of everything random"),
    FEW_OPT_STRING(keys, optimizer, "adam", "update rule: see few list optimizers"),
    FEW_OPT_REAL(keys, lr, "1e-3", 0, 10, "learning rate"),
    FEW_OPT_CHOICE(keys, lr_shape, "constant", "constant|linear|cosine|invsqrt",
                   "shape of the learning rate over the run: constant, or how it falls"),
    FEW_OPT_REAL(keys, lr_floor, "0", 0, 1,
                 "lr_shape linear or cosine: learning rate at the end, as a share of lr"),
    FEW_OPT_INT(keys, lr_warmup, "0", 0, 1e9,
                "steps in which the learning rate rises linearly from 0"),
    FEW_OPT_INT(keys, lr_reference, "0", 0, 1e9, "lr_shape invsqrt: steps before the decay begins"),
    FEW_OPT_INT(keys, fake_updates, "1", 1, 1000, "updates of the fake network per step"),
    FEW_OPT_REAL(keys, fake_lr, "0", 0, 10, "learning rate of the fake network; 0: the student's"),
    FEW_OPT_INT(keys, pairs, "0", 0, 1e9,
                "pairs of noise and image that the teacher makes before training"),
    FEW_OPT_INT(keys, pairs_steps, "0", 0, 10000,
                "sampling steps for each pair; 0: the sampler's default"),
    FEW_OPT_REAL(keys, pairs_guidance, "1", 0, 100,
                 "guidance scale of the pairs; 1: no guidance or, if the teacher takes a guidance "
                 "scale, one drawn for each pair from its range"),
    FEW_OPT_REAL(keys, beta1, "0.9", 0, 0.99999, "decay of the optimizer's first moment"),
    FEW_OPT_REAL(keys, beta2, "0.999", 0, 0.999999, "decay of the optimizer's second moment"),
    FEW_OPT_REAL(keys, eps, "1e-8", 1e-30, 1, "added to the root of the second moment"),
    FEW_OPT_REAL(keys, weight_decay, "0", 0, 10, "decoupled weight decay"),
    FEW_OPT_REAL(keys, clip, "0", 0, 1e9, "limit of the gradient's norm; 0: none"),
    FEW_OPT_REAL(keys, ema, "0", 0, 1e15, "half-life of the averaged weights, in rows; 0: none"),
    FEW_OPT_REAL(keys, ema_ramp, "0.05", 0, 1,
                 "the half-life of the average is at most this share of the rows seen"),
    FEW_OPT_REAL(keys, ema_power, "0", 0, 0.28,
                 "sigma_rel of a power-function average, which replaces ema; 0: none"),
    FEW_OPT_INT(keys, snapshot_every, "0", 0, 1e9,
                "steps between snapshots, two averages of the weights from which few ema makes "
                "others; 0: none"),
    FEW_OPT_INT(keys, log_every, "50", 1, 1e9, "steps between lines of log.jsonl"),
    FEW_OPT_INT(keys, checkpoint_every, "500", 1, 1e9, "steps between checkpoints"),
    FEW_OPT_REAL(keys, checkpoint_minutes, "5", 0, 1e6,
                 "most minutes between checkpoints, in case the run is killed; 0: no limit"),
    FEW_OPT_INT(keys, preview_every, "0", 0, 1e9, "steps between preview grids; 0: none"),
    FEW_OPT_INT(keys, preview_n, "64", 1, 65536, "images (or points) in a preview"),
    FEW_OPT_INT(keys, preview_steps, "0", 0, 10000,
                "sampling steps of a preview; 0: the sampler's default"),
    FEW_OPT_REAL(keys, preview_guidance, "1", 0, 100, "guidance scale of a preview"),
    FEW_OPT_BOOL(keys, tensorboard, "no",
                 "also write the numbers of log.jsonl and the previews to a file for TensorBoard"),
    FEW_OPT_INT(keys, eval_every, "0", 0, 1e9,
                "steps between evaluations, whose cost is logged when the run begins; 0: none"),
    FEW_OPT_INT(keys, eval_n, "500", 1, 1e9, "images in an evaluation"),
    FEW_OPT_STRING(keys, eval_ref, "",
                   "reference images of evaluations; empty: the held-out part of the data or, if "
                   "there is none, the data"),
    FEW_OPT_STRING(keys, eval_features, "",
                   "feature network with which images are compared: see few list features; empty: "
                   "fashion for Fashion-MNIST, otherwise pixels"),
    FEW_OPT_STRING(
        keys, eval_metrics, "",
        "metrics of an evaluation: see few list metrics; empty: fd; for points fd and energy"),
    FEW_OPT_INT(keys, eval_steps, "0", 0, 10000,
                "sampling steps of an evaluation; 0: the sampler's default"),
    FEW_OPT_REAL(keys, eval_guidance, "1", 0, 100, "guidance scale of an evaluation's images"),
    FEW_OPT_CHOICE(keys, eval_labels, "shares", "shares|even",
                   "how often an evaluation's images have each class: shares: as often as the "
                   "reference or, if that has no labels, the data; even: all equally often"),
    FEW_OPT_REAL(keys, guard_spike, "100", 1, 1e12,
                 "a gradient norm this many times its usual value counts as a spike"),
    FEW_OPT_INT(keys, guard_patience, "10", 1, 1e6, "spikes in a row before rolling back"),
    FEW_OPT_INT(keys, guard_retries, "3", 0, 100, "roll-backs before giving up"),
    FEW_OPT_STRING(keys, backend, "cpu", "what computes: see few backend list"),
    FEW_OPT_CHOICE(
        keys, precision, "fp32", "fp32|tf32|bf16",
        "number type of the factors in matrix products; bf16 also stores activations in bf16; tf32 "
        "needs backend cuda"),
    FEW_OPT_CHOICE(keys, convolution, "fast", "fast|direct",
                   "3x3 convolutions: fast: by Winograd (relative error about 2e-6); direct: as "
                   "defined, 3 times slower"),
    FEW_OPT_CHOICE(keys, weights, "f32", "f32|f16|bf16|int8",
                   "number type of model.safetensors; int8 has a scale for each output of a layer"),
    FEW_OPT_END};

/* Keys that do not change what is learned. A run may be resumed with other values of them. */
static const char *const free_keys[] = {
    "workers",       "steps",      "log_every",     "preview_every",      "preview_n",
    "preview_steps", "backend",    "guard_retries", "checkpoint_every",   "preview_guidance",
    "weights",       "eval_every", "eval_n",        "eval_ref",           "eval_features",
    "eval_metrics",  "eval_steps", "eval_guidance", "checkpoint_minutes", "eval_labels",
    "tensorboard"};

const struct few_option *few__train_options(void) { return options; }

/* Linux cannot open a path of more than 4,095 bytes, so a name that does not fit is not a file. */
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
    return few__fail(ctx, FEW_E_INVALID, "%s: batch = %lld is not a multiple of shards = %lld",
                     c->recipe.place, (long long)k->batch, (long long)k->shards);
  if (k->steps > ((int64_t)1 << 40) / k->batch)
    return few__fail(ctx, FEW_E_INVALID,
                     "%s: steps = %lld of batch = %lld: a run has at most 2^40 rows",
                     c->recipe.place, (long long)k->steps, (long long)k->batch);
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
  if (stages > 1 && c->keys.snapshot_every)
    return few__fail(ctx, FEW_E_INVALID,
                     "%s: snapshot_every does not work with objective %s, which trains %d students "
                     "one after the other: their weights have no common average",
                     c->recipe.place, c->keys.objective, stages);
  if (c->keys.steps % stages == 0) return FEW_OK;
  return few__fail(ctx, FEW_E_INVALID,
                   "%s: steps = %lld cannot be cut into the %d stages of objective %s: take a "
                   "multiple of %d",
                   c->recipe.place, (long long)c->keys.steps, stages, c->keys.objective, stages);
}

static few_status read_values(few_ctx *ctx, struct few_config *c) {
  FEW_TRY(few_options_default(&c->keys, ctx, options));
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
                     "train: recipe %s and a recipe's text are given: give one of the two",
                     opts->recipe);
  if (!opts->recipe && !opts->text && !opts->n_overrides)
    return few__fail(ctx, FEW_E_INVALID, "train: name a recipe, or give its keys as key=value");
  if (opts->recipe) return find_recipe(ctx, out, opts->recipe);
  return few__recipe_parse(ctx, out, "recipe", text, strlen(text));
}

/* For data that the program passes: set the key `data` to their name. */
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
