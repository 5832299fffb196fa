/* student.c - the network of a recipe without a run. */
#include "few/train.h"

#include "recipe.h"

few_status few_train_model(few_ctx *ctx, struct few_model **out,
                           const struct few_train_opts *opts) {
  struct few_run_recipe r;
  *out = NULL;
  FEW_TRY(few__opts_check(ctx, "few_train_opts", opts, FEW_TRAIN_OPTS_VERSION));
  struct few_train_opts o = *opts;
  o.run = ""; /* there is none */
  FEW_TRY(few__run_recipe_open(ctx, &r, &o));
  few_status st = few__run_net_check(ctx, &r);
  if (!st) st = few__model_create(ctx, out, r.net, r.net_opts, &r.spec, (uint64_t)r.keys.seed);
  if (!st) (*out)->guidance_min = r.guidance_min;
  if (!st) (*out)->guidance_max = r.guidance_max;
  few__run_recipe_close(ctx, &r);
  return st;
}
