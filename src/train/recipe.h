/* recipe.h - a recipe resolved: components chosen, options read, every key accounted for. */
#ifndef FEW_SRC_TRAIN_RECIPE_H
#define FEW_SRC_TRAIN_RECIPE_H

#include "base/recipe.h"
#include "diffusion/objective/objective.h"
#include "few/data.h"
#include "few/train.h"
#include "io/sha256.h"
#include "model/model.h"
#include "train/optim/balance.h"
#include "train/optim/lr.h"
#include "train/optim/optim.h"

enum { FEW_SCALE_AUTO, FEW_SCALE_ONE, FEW_SCALE_EACH };

struct few_train_keys { /* the trainer's own keys; see options[] in recipe.c */
  char data[1024], teacher[1024], net[32], objective[96], optimizer[32], balance[32], prediction[8];
  int64_t data_limit, data_classes;
  double data_holdout;
  int data_on_error;
  int data_scale; /* FEW_SCALE_... */
  bool flip, labels;
  int64_t size, channels_in;
  double sigma_data, label_dropout;
  int64_t steps, batch, shards, workers, seed;
  double lr, lr_floor, beta1, beta2, eps, weight_decay, clip;
  int lr_shape;
  char init[1024]; /* "teacher", "fresh", or a model's file */
  int64_t lr_warmup, lr_reference;
  int64_t fake_updates;
  double fake_lr;
  int64_t pairs, pairs_steps;
  double pairs_guidance;
  double ema, ema_ramp, ema_power;
  int64_t log_every, checkpoint_every, preview_every, preview_n, preview_steps;
  double checkpoint_minutes, preview_guidance;
  int64_t eval_every, eval_n, eval_steps;
  char eval_ref[1024], eval_features[1024], eval_metrics[128];
  double eval_guidance;
  int eval_labels; /* 0 shares, 1 even */
  double guard_spike;
  int64_t guard_patience, guard_retries;
  char backend[16];
  int precision;   /* few_precision */
  int weights;     /* 0 f32, 1 f16 */
  int convolution; /* 0 fast, 1 direct */
};

/* An objective of a run. The keys of all but the first have its name and a dot before them. */
enum { FEW_MAX_OBJECTIVES = 3 };
struct few_run_objective {
  const struct few_objective_def *def;
  void *opts;
  char prefix[32]; /* "" or "vsd." */
};

struct few_run_recipe {
  struct few_recipe recipe;
  struct few_train_keys keys;
  int n_objectives; /* at least 1; what the first says of the run holds */
  struct few_run_objective objective[FEW_MAX_OBJECTIVES];
  const struct few_balancer *balance;
  enum few_target target; /* of any objective */
  bool needs_teacher, needs_pairs;
  const struct few_net_def *net;
  void *net_opts;
  const struct few_optim *optim;
  struct few_optim_opts optim_opts;
  struct few_lr_opts lr;
  struct few_net_spec spec; /* of the student */
  few_data *data;
  int32_t *label_map; /* the student's class for each of the data's; NULL: the same numbers */
  const few_model *numbered_as; /* whose classes have these numbers and names; NULL: the data's */
  int64_t *class_counts; /* [spec.classes] items of the data, by the student's numbers; or NULL */
  few_model *teacher;    /* NULL: none */
  few_model *start;      /* whose weights the student starts with; NULL: keys.init */
  few_model *fake;       /* the fake network's architecture; NULL: none is trained */
  char teacher_hash[FEW_SHA256_TEXT]; /* of the file that was loaded; "" without one */
  char start_hash[FEW_SHA256_TEXT];   /* of `start` */
  double guidance_min, guidance_max;
};

const struct few_option *few__train_options(void);
/* Where the run is at `step`: its stage, and how far in it. */
struct few_clock few__run_clock(const struct few_run_recipe *r, int64_t step, double stretch);

/* ---- objectives.c ---- */

/* How the student is used after `step` steps goes into the model: sampler, times, direction. */
few_status few__run_use(const struct few_run_recipe *r, int64_t step, few_model *m);

/* From keys.objective, "a + b", to the objectives with their options at the defaults. */
few_status few__run_objectives(few_ctx *ctx, struct few_run_recipe *r);
few_status few__run_objective_options(few_ctx *ctx, struct few_run_recipe *r);
few_status few__run_objective_text(few_ctx *ctx, const struct few_run_recipe *r,
                                   struct few_text *out);
/* What they ask of the student goes into r->spec; refuses what does not go together. */
few_status few__run_objective_fit(few_ctx *ctx, struct few_run_recipe *r);

/* Read, resolve and check everything: components exist, keys are known, data opens, the teacher
 * fits. *out is zeroed on failure. */
few_status few__run_recipe_open(few_ctx *ctx, struct few_run_recipe *out,
                                const struct few_train_opts *opts);
void few__run_recipe_close(few_ctx *ctx, struct few_run_recipe *r);
/* The resolved recipe: every key with its value. */
few_status few__run_recipe_text(few_ctx *ctx, const struct few_run_recipe *r, struct few_text *out);
/* Log a warning for each key that was given and does nothing in this run. */
few_status few__run_warn_ignored(few_ctx *ctx, const struct few_run_recipe *r);
/* FEW_E_INVALID for options of a new network that would do nothing. */
few_status few__run_net_check(few_ctx *ctx, const struct few_run_recipe *r);
/* Does the key leave what is learned alone (workers, log_every ...)? */
bool few__run_recipe_free_key(const char *key);
/* What images of the run are compared in: `given`, or what suits the data where that is NULL or
 * "". Weights that come with few are looked for as teachers are: as named, or else beside the
 * folder of the recipe. */
enum { FEW_FEATURES_SPEC = 2 * 4096 + 100 };
void few__run_recipe_features(const struct few_run_recipe *r, const char *given,
                              char spec[FEW_FEATURES_SPEC]);
/* `spec`, or NULL where those are pixels that nobody asked for: few_eval warns of these. */
const char *few__run_recipe_features_chosen(const char *given, const char *spec);
/* FEW_E_INVALID if the run in `path` (a recipe.ini) was another one: names the key that differs.
 * Keys that do not change what is learned may differ, and so may `steps`, and the names of data and
 * teacher, which their hashes tell apart: *before is what they were. */
struct few_run_before {
  int64_t steps; /* 0: there was no run */
  bool moved;    /* data or teacher have other names now */
};
few_status few__run_recipe_same(few_ctx *ctx, const struct few_run_recipe *r, const char *path,
                                struct few_run_before *before);

/* Is each pair of the teacher's made with a guidance of its own, which is the student's input? */
static inline bool few__pairs_drawn(const struct few_run_recipe *r) {
  return r->needs_pairs && r->spec.guidance;
}

/* ---- length.c ---- */

/* FEW_E_INVALID where a run that has done `done` steps of `was` cannot go on as one of
 * r->keys.steps. `dir` is its directory. */
few_status few__run_length_check(few_ctx *ctx, const struct few_run_recipe *r, const char *dir,
                                 int64_t was, int64_t done);
/* The learning rate of a recipe whose objectives are known. */
few_status few__run_lr(few_ctx *ctx, struct few_run_recipe *r);

#endif
