/* length.c - the length of a run, and whether a run that has begun may have another.
 *
 * `steps` may be changed where a run goes on, but much can be made of it: the learning rate's
 * shape, stages, grids that become finer on the way, the decay of an average. So all that an update
 * takes from its step is computed for both lengths, at each step that is done. Where nothing
 * differs, as with a constant rate and a schedule without an end, the run ends in the bits of one
 * that had its new length from the beginning. Where something does, its steps so far would have
 * been others, and it is refused.
 */
#include <inttypes.h>
#include <stdio.h>

#include "recipe.h"

/* The rate's shape spans a stage: objectives are known to be cut into stages. */
few_status few__run_lr(few_ctx *ctx, struct few_run_recipe *r) {
  const struct few_train_keys *k = &r->keys;
  r->lr = (struct few_lr_opts)FEW_LR_OPTS_INIT;
  r->lr.shape = (enum few_lr_shape)k->lr_shape;
  r->lr.base = k->lr;
  r->lr.floor = k->lr_floor;
  r->lr.warmup = k->lr_warmup;
  r->lr.total = few__run_clock(r, 0, 1).stage_steps;
  r->lr.reference = k->lr_reference;
  return few__lr_check(ctx, &r->lr);
}

static bool same_schedule(const struct few_run_objective *o, const struct few_clock *a,
                          const struct few_clock *b) {
  double x[FEW_MAX_SCALARS] = {0}, y[FEW_MAX_SCALARS] = {0};
  if (o->def->schedule) {
    o->def->schedule(o->opts, a, x);
    o->def->schedule(o->opts, b, y);
  }
  for (int i = 0; i < FEW_MAX_SCALARS; i++)
    if (x[i] != y[i]) return false;
  return !o->def->target_decay ||
         o->def->target_decay(o->opts, a) == o->def->target_decay(o->opts, b);
}

/* What step `step` takes from its place in the run and would differ between two lengths of it. */
static bool differs(const struct few_run_recipe *r, const struct few_run_recipe *old, int64_t step,
                    char what[96]) {
  const struct few_clock a = few__run_clock(r, step, 1), b = few__run_clock(old, step, 1);
  if (a.stage != b.stage || a.in_stage != b.in_stage) {
    snprintf(what, 96, "stage (objective %.32s)", r->objective[0].def->name);
    return true;
  }
  if (few__lr(&r->lr, a.in_stage) != few__lr(&old->lr, b.in_stage)) {
    snprintf(what, 96, "learning rate (lr_shape = %s)", few__lr_name(r->lr.shape));
    return true;
  }
  for (int i = 0; i < r->n_objectives; i++) {
    if (same_schedule(&r->objective[i], &a, &b)) continue;
    snprintf(what, 96, "schedule (objective %.32s)", r->objective[i].def->name);
    return true;
  }
  return false;
}

few_status few__run_length_check(few_ctx *ctx, const struct few_run_recipe *r, const char *dir,
                                 int64_t was, int64_t done) {
  struct few_run_recipe old = *r;
  char what[96];
  const bool further = r->target != FEW_TARGET_STAGE; /* such a student is its own stage's */
  if (was == r->keys.steps) return FEW_OK;
  if (done > r->keys.steps)
    return few__fail(ctx, FEW_E_INVALID,
                     "%s has done %" PRId64 " steps already, more than steps = %" PRId64
                     ": give steps = %" PRId64 ", or another run directory",
                     dir, done, r->keys.steps, was);
  old.keys.steps = was;
  FEW_TRY(few__run_lr(ctx, &old));
  for (int64_t step = 0; step < done; step++) {
    if (!differs(r, &old, step, what)) continue;
    return few__fail(ctx, FEW_E_INVALID,
                     "%s was begun with steps = %" PRId64 " and has done %" PRId64
                     ": with steps = %" PRId64 " its %s would have been another from step %" PRId64
                     " on. Give steps = %" PRId64 ", or take another run directory%s%s%s",
                     dir, was, done, r->keys.steps, what, step, was,
                     further ? ": from the start, or further with init = " : "", further ? dir : "",
                     further ? "/model.safetensors" : "");
  }
  return FEW_OK;
}
