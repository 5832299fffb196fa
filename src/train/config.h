/* config.h - a recipe as pure values: the trainer's keys, and the objectives, the optimizer and the
 * learning rate with their options. Only the recipe's own file is opened here. Data, teacher and
 * network are opened by setup.h.
 */
#ifndef FEW_SRC_TRAIN_CONFIG_H
#define FEW_SRC_TRAIN_CONFIG_H

#include "base/recipe.h"
#include "diffusion/objective/objective.h"
#include "engine/backend/backend.h"
#include "few/data.h"
#include "few/model.h"
#include "few/train.h"
#include "train/optim/balance.h"
#include "train/optim/lr.h"
#include "train/optim/optim.h"

enum few_scale_choice { FEW_SCALE_AUTO, FEW_SCALE_ONE, FEW_SCALE_EACH };
enum few_class_choice { FEW_CLASSES_SHARES, FEW_CLASSES_EVEN };
enum few_convolution { FEW_CONVOLUTION_FAST, FEW_CONVOLUTION_DIRECT };

struct few_train_keys { /* the trainer's own keys: see options[] in config.c */
  char data[1024], teacher[1024], net[32], objective[96], optimizer[32], balance[32], prediction[8];
  int64_t data_limit, data_classes;
  double data_holdout;
  few_data_on_error data_on_error;
  enum few_scale_choice data_scale;
  bool flip, labels;
  struct few_augment_opts augment;
  int64_t size, channels_in, background;
  few_data_fit fit;
  double sigma_data, label_dropout;
  int64_t steps, batch, shards, workers, seed;
  double lr, lr_floor, beta1, beta2, eps, weight_decay, clip;
  enum few_lr_shape lr_shape;
  char init[1024]; /* "teacher", "fresh", or a model's file */
  int64_t lr_warmup, lr_reference;
  int64_t fake_updates;
  double fake_lr;
  int64_t pairs, pairs_steps;
  double pairs_guidance;
  double ema, ema_ramp, ema_power;
  int64_t snapshot_every;
  int64_t log_every, checkpoint_every, preview_every, preview_n, preview_steps;
  double checkpoint_minutes, preview_guidance;
  bool tensorboard;
  int64_t eval_every, eval_n, eval_steps;
  char eval_ref[1024], eval_features[1024], eval_metrics[128];
  double eval_guidance;
  enum few_class_choice eval_labels;
  double guard_spike;
  int64_t guard_patience, guard_retries;
  char backend[16];
  few_precision precision;
  enum few_weight_type weights; /* of model.safetensors */
  enum few_convolution convolution;
};

/* An objective of a run. The keys of all but the first have its name and a dot in front. */
enum { FEW_MAX_OBJECTIVES = 3 };
struct few_config_objective {
  const struct few_objective_def *def;
  void *opts;
  char prefix[32]; /* "" or "vsd." */
};

struct few_config {
  struct few_recipe recipe;
  struct few_train_keys keys; /* few__setup_open fills in what the recipe leaves to the teacher */
  int n_objectives;           /* at least 1; the first sets stages, sampler and step size */
  struct few_config_objective objective[FEW_MAX_OBJECTIVES];
  enum few_target target; /* of the only objective that has a target network, if there is one */
  bool needs_teacher, needs_pairs;
  const struct few_balancer *balance;
  const struct few_optim *optim;
  struct few_optim_opts optim_opts;
  struct few_lr_opts lr;
};

/* Reads the recipe that `opts` names, with its overrides. The network's options are not read yet,
 * since the network may be the teacher's. Read them, then call few__recipe_check, which refuses
 * keys that were not read. *out is zeroed on failure. */
few_status few__config_read(few_ctx *ctx, struct few_config *out,
                            const struct few_train_opts *opts);
void few__config_free(few_ctx *ctx, struct few_config *c);

/* The recipe in the file `path`, parsed. */
few_status few__config_parse_file(few_ctx *ctx, struct few_recipe *out, const char *path);

/* The table of the trainer's own keys. */
const struct few_option *few__train_options(void);
/* May this key change when a run is resumed? True for keys that do not change what is learned,
 * such as workers and log_every. */
bool few__config_free_key(const char *key);

/* The stage of `step`, and the step within that stage. `stretch` is the guard's factor on
 * warm-ups. */
struct few_clock few__config_clock(const struct few_config *c, int64_t step, double stretch);

/* ---- objectives.c ---- */

/* Splits keys.objective, "a + b", into objectives whose options are at their defaults. */
few_status few__config_objectives(few_ctx *ctx, struct few_config *c);
/* Reads their options. Options that belong to the student get one value for all objectives. */
few_status few__config_objective_options(few_ctx *ctx, struct few_config *c);
/* Whether it evaluates the recipe's teacher: few_objective_def.needs_teacher with its options. */
bool few__config_evaluates_teacher(const struct few_config_objective *o);
/* Appends a section of the resolved recipe for each objective. */
few_status few__config_objective_text(few_ctx *ctx, const struct few_config *c,
                                      struct few_text *out);

/* ---- length.c ---- */

/* The learning rate's options, from the keys. */
few_status few__config_lr(few_ctx *ctx, struct few_config *c);
/* FEW_E_INVALID if a run that was begun with `was` steps, and has done `done` of them, cannot
 * continue as a run of c->keys.steps. `dir` is its directory, for the message. */
few_status few__config_length_check(few_ctx *ctx, const struct few_config *c, const char *dir,
                                    int64_t was, int64_t done);

#endif
