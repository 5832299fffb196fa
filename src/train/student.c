/* student.c - the network of a recipe without a run. */
#include "few/train.h"

#include "setup.h"

few_status few_train_model(few_ctx *ctx, struct few_model **out,
                           const struct few_train_opts *opts) {
  struct few_setup setup;
  *out = NULL;
  FEW_TRY(few__opts_check(ctx, "few_train_opts", opts, FEW_TRAIN_OPTS_VERSION));
  struct few_train_opts o = *opts;
  o.run = ""; /* there is none */
  FEW_TRY(few__setup_open(ctx, &setup, &o));
  few_status st = few__setup_check_net(ctx, &setup);
  if (!st)
    st = few__model_create(ctx, out, setup.net, setup.net_opts, &setup.spec,
                           (uint64_t)setup.config.keys.seed);
  if (!st) (*out)->guidance_min = setup.guidance_min;
  if (!st) (*out)->guidance_max = setup.guidance_max;
  few__setup_close(ctx, &setup);
  return st;
}
