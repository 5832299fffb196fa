/* few/train.h - trains a network by a recipe.
 *
 * few_train runs a recipe to its last step. A trainer is the same run, step by step, for a program
 * that drives training itself.
 *
 * A run has a directory: recipe.ini (as resolved), log.jsonl (one JSON object per line), previews,
 * checkpoints, and model.safetensors. Opened again with the same recipe, a run resumes from its
 * newest checkpoint and ends in the same bits, wherever it was stopped.
 *
 * Threads: a trainer belongs to its context, and so to one thread of calls at a time.
 */
#ifndef FEW_TRAIN_H
#define FEW_TRAIN_H

#include "few/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A recipe is a list of pairs key = value (docs/guide.md). It comes from a file (`recipe`) or from
 * memory (`text`); `overrides` replace its values and add to them. With neither file nor text, the
 * overrides are the recipe. */
struct few_train_opts {
  int version;        /* FEW_TRAIN_OPTS_VERSION */
  const char *recipe; /* path of an INI file, or NAME of recipes/NAME.ini; NULL: none */
  const char *run;    /* directory, made if missing; NULL: in memory, for few_trainer_open */
  int n_overrides;
  const char *const *overrides; /* "key=value" */
  const char *text;             /* the text of a recipe, as in a file; NULL: none */
  /* The training data (few_data_open, few_data_create), in place of the recipe's key `data`, whose
   * value becomes few_data_spec(data). Keys for opening data (data_limit, data_holdout,
   * data_classes, size ...) have no effect. Borrowed until few_train returns, or few_trainer_close.
   * NULL: the key is used. */
  const struct few_data *data;
};
#define FEW_TRAIN_OPTS_VERSION 2
#define FEW_TRAIN_OPTS_INIT \
  { FEW_TRAIN_OPTS_VERSION, NULL, NULL, 0, NULL, NULL, NULL }

/* Trains to the recipe's last step, or resumes the run in the directory. FEW_E_INVALID if that run
 * has another recipe; the message names the first key that differs. Progress goes to the context's
 * callback with a note like "loss 0.412". FEW_E_CANCELLED leaves a checkpoint of the last step,
 * FEW_E_DIVERGED the last good one. */
FEW_API FEW_MUST_USE few_status few_train(few_ctx *ctx, const struct few_train_opts *opts);

/* The student of a recipe before its first step, for few_model_signal. Its weights are drawn, not
 * copied from a teacher. opts->run is not read. *out is yours: few_model_free. */
struct few_model;
FEW_API FEW_MUST_USE few_status few_train_model(struct few_model **out, few_ctx *ctx,
                                                const struct few_train_opts *opts);

/* ---- Step by step ---- */

/*   few_trainer *t;
 *   few_trainer_open(&t, ctx, &opts);
 *   while (!few_trainer_done(t)) {
 *     few_trainer_step(t);
 *     printf("%g\n", few_trainer_report(t)->loss);
 *   }
 *   few_trainer_close(t);
 *
 * (Check every status.) The steps are those of few_train, to the bit. Other calls between them do
 * not change that. */
typedef struct few_trainer few_trainer;

/* Opens a run, or resumes it. Opens data and teacher, and makes the pairs that the recipe needs.
 * This may take long, reports progress and can be cancelled.
 *
 * opts->run NULL: a run in memory, without checkpoints, log and previews. A run in memory cannot
 * roll back: it ends with FEW_E_DIVERGED instead.
 *
 * opts may change after the call; opts->data and the context must outlive the trainer. While a
 * trainer is open, no other process can train in its directory. On failure *out is NULL. */
FEW_API FEW_MUST_USE few_status few_trainer_open(few_trainer **out, few_ctx *ctx,
                                                 const struct few_train_opts *opts);
/* Does not save. NULL is fine. */
FEW_API void few_trainer_close(few_trainer *t);

/* Whether all steps of the run are done. */
FEW_API bool few_trainer_done(const few_trainer *t);

/* Does one optimizer step, and then everything that the recipe schedules after it: a line of the
 * log, a preview, an evaluation, a checkpoint. After the last step the model is saved.
 *
 * FEW_OK also if the step was skipped or the run rolled back (see few_train_report.event).
 * FEW_E_CANCELLED if the progress callback cancelled the call: a checkpoint is saved, and
 * few_trainer_step may be called again. FEW_E_INVALID after the last step. After any other failure
 * only few_trainer_close is useful. */
FEW_API FEW_MUST_USE few_status few_trainer_step(few_trainer *t);

struct few_train_metric {
  const char *name; /* as in log.jsonl: "loss_scd", "fake_loss" ... */
  double value;     /* of this step, mean over the batch */
};

/* The last step. Later versions may add members at the end. */
struct few_train_report {
  int64_t step, steps; /* steps done so far; steps of the run */
  double loss;         /* weighted sum of the losses, mean over the batch. NaN: no step yet */
  double grad_norm;    /* L2 norm of the student's gradient before clipping. NaN: no step yet */
  double lr;           /* learning rate. NaN: no step yet */
  const char *event;   /* NULL; "skipped": no update was made; "rolled back": to an earlier step */
  const char *why;     /* of the event; NULL: there was none */
  double seconds;      /* from the end of few_trainer_open to the end of the step */
  int n_metrics;
  const struct few_train_metric *metrics;
};
/* Borrowed: valid until the next call with this trainer. Never NULL. */
FEW_API const struct few_train_report *few_trainer_report(const few_trainer *t);

/* Writes a checkpoint and the model now. FEW_E_INVALID for a run in memory; FEW_E_DIVERGED if
 * weights are not finite. */
FEW_API FEW_MUST_USE few_status few_trainer_save(few_trainer *t);

/* A copy of the student as few_trainer_save would write it: averaged weights if the recipe
 * averages. *out is yours: few_model_free. FEW_E_DIVERGED if weights are not finite. */
FEW_API FEW_MUST_USE few_status few_trainer_model(struct few_model **out, few_trainer *t);

/* ---- After a run ---- */

struct few_posthoc_report {
  int snapshots; /* from which the average was made */
  int64_t step;  /* of the newest of them */
  double error; /* of the average's profile, relative: the L2 distance of the weights of all moments
                    of the training from those wanted */
};
/* The power-function average of a run's weights with width sigma_rel (EDM2, arXiv 2312.02696,
 * section 3), made from the snapshots in the directory `run`, which a recipe with snapshot_every
 * writes. sigma_rel, in (0, 0.288], is the standard deviation of the profile in units of the
 * training's length. `last`: the newest step that counts, where the training of the average ends;
 * 0: all. `report` may be NULL. FEW_E_INVALID if there are no snapshots, or if they are too few for
 * an error of at most 0.1. *out is yours: few_model_free; NULL on failure. */
FEW_API FEW_MUST_USE few_status few_posthoc_average(struct few_model **out,
                                                    struct few_posthoc_report *report, few_ctx *ctx,
                                                    const char *run, double sigma_rel,
                                                    int64_t last);

/* ---- Before a run ---- */

/* The cost of a run. Times are measured on this machine by trying the run for some seconds; counts
 * are exact. */
struct few_train_estimate {
  int64_t steps, batch;
  int64_t
      parameters; /* all trained parameters: the student's, and those of other trained networks */
  double step_flops;   /* operations of a step: products and convolutions, 2 per multiply-add */
  double step_seconds; /* of a step */
  double seconds;      /* of the whole run; the sum of the following */
  double open_seconds, pairs_seconds, train_seconds, preview_seconds, eval_seconds, save_seconds;
  int64_t memory_bytes; /* peak resident memory of this process, with the run in it. On a device its
                           own memory is not counted */
  int64_t disk_bytes;   /* in the run's directory at the end; the sum of the following */
  int64_t checkpoint_bytes; /* of the up to three that are kept */
  int64_t model_bytes, preview_bytes, pairs_bytes, log_bytes, snapshot_bytes;
};

/* Estimates the cost of a run by trying it in a temporary directory, beside opts->run or, if that
 * is NULL, in the current directory. The temporary directory is removed. A run that exists is
 * neither read nor changed. The estimate is for the whole run, not for what is left of it. */
FEW_API FEW_MUST_USE few_status few_train_estimate(struct few_train_estimate *out, few_ctx *ctx,
                                                   const struct few_train_opts *opts);

#ifdef __cplusplus
}
#endif
#endif
