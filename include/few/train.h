/* few/train.h - run a recipe.
 *
 * A run is a directory: recipe.ini (as resolved), log.jsonl (a JSON object a line), previews,
 * checkpoints, and model.safetensors at the end. Killed at any moment, the same call resumes it to
 * the same bits.
 */
#ifndef FEW_TRAIN_H
#define FEW_TRAIN_H

#include "few/base.h"

#ifdef __cplusplus
extern "C" {
#endif

struct few_train_opts {
  int version;        /* FEW_TRAIN_OPTS_VERSION */
  const char *recipe; /* path of an INI file, or NAME of recipes/NAME.ini here */
  const char *run;    /* directory, made if missing */
  int n_overrides;
  const char *const *overrides; /* "key=value" */
};
#define FEW_TRAIN_OPTS_VERSION 1
#define FEW_TRAIN_OPTS_INIT \
  { FEW_TRAIN_OPTS_VERSION, NULL, NULL, 0, NULL }

/* Train to the recipe's last step, resuming what the directory holds. A directory that holds
 * another recipe is refused, naming the key that differs. Progress goes to the context's callback
 * with a note like "loss 0.412"; cancelling leaves a resumable checkpoint, FEW_E_DIVERGED the last
 * good one. */
FEW_MUST_USE few_status few_train(few_ctx *ctx, const struct few_train_opts *opts);

/* The student of a recipe before the first step, its weights drawn and not taken from a teacher:
 * what few_model_signal looks at. opts->run is not read. *out is yours: few_model_free. */
struct few_model;
FEW_MUST_USE few_status few_train_model(few_ctx *ctx, struct few_model **out,
                                        const struct few_train_opts *opts);

/* What there is to choose from and its options, for help texts. kind: "net", "objective",
 * "optimizer", "process", "prediction", "weight", "balancer", "train" (one row: the trainer's own
 * keys). */
struct few_component_info {
  const char *name, *source, *help;
};
int few_component_count(const char *kind); /* 0 for an unknown kind */
struct few_component_info few_component(const char *kind, int i);
/* Its option table as text: key, default, meaning a line. Yours: few_text_free (few/model.h). */
FEW_MUST_USE few_status few_component_options(few_ctx *ctx, const char *kind, int i, char **out);

#ifdef __cplusplus
}
#endif
#endif
