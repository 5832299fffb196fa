/* train.c - few_train: opens a trainer and steps it to the end of the run. */
#include <inttypes.h>

#include "trainer.h"

/* A finished run writes its model again, in case it was lost. */
static few_status train(few_trainer *t) {
  if (few_trainer_done(t)) {
    few__log(t->ctx, FEW_LOG_INFO, "%s: nothing left to do", t->files.dir);
    return few_trainer_save(t);
  }
  while (!few_trainer_done(t)) FEW_TRY(few_trainer_step(t));
  return FEW_OK;
}

few_status few_train(few_ctx *ctx, const struct few_train_opts *opts) {
  few_trainer *t;
  FEW_TRY(few__opts_check(ctx, "few_train_opts", opts, FEW_TRAIN_OPTS_VERSION));
  if (!opts->run)
    return few__fail(ctx, FEW_E_INVALID,
                     "train: give a run directory; few_trainer_open trains without one");
  FEW_TRY(few_trainer_open(&t, ctx, opts));
  const few_status st = train(t);
  few_trainer_close(t);
  return st;
}

few_status few_train_model(few_model **out, few_ctx *ctx, const struct few_train_opts *opts) {
  struct few_setup setup;
  *out = NULL;
  FEW_TRY(few__opts_check(ctx, "few_train_opts", opts, FEW_TRAIN_OPTS_VERSION));
  FEW_TRY(few__setup_open(ctx, &setup, opts));
  few_status st = few__setup_check_net(ctx, &setup);
  if (!st)
    st = few__model_create(ctx, out, setup.net, setup.net_opts, &setup.spec,
                           (uint64_t)setup.config.keys.seed);
  if (!st) (*out)->guidance_min = setup.guidance_min;
  if (!st) (*out)->guidance_max = setup.guidance_max;
  few__setup_close(ctx, &setup);
  return st;
}
