/* length.c - decides whether the number of steps of a run that has begun may be changed.
 *
 * Much can depend on `steps`: the shape of the learning rate, stages, grids that become finer, the
 * decay of an average. So everything in an update that depends on the step is computed for both
 * lengths, at each step done so far. If nothing differs, as with a constant rate and a schedule
 * without an end, the run ends with the same bits as a run that had the new length from the start.
 * If something differs, those steps would have been different, and the new length is refused.
 */
#include <inttypes.h>
#include <stdio.h>

#include "config.h"

/* In a run with stages, each stage has the whole shape of the rate. */
few_status few__config_lr(few_ctx *ctx, struct few_config *c) {
  const struct few_train_keys *k = &c->keys;
  c->lr = (struct few_lr_opts)FEW_LR_OPTS_INIT;
  c->lr.shape = k->lr_shape;
  c->lr.base = k->lr;
  c->lr.floor = k->lr_floor;
  c->lr.warmup = k->lr_warmup;
  c->lr.total = few__config_clock(c, 0, 1).stage_steps;
  c->lr.reference = k->lr_reference;
  return few__lr_check(ctx, &c->lr);
}

static bool same_schedule(const struct few_config_objective *o, const struct few_clock *a,
                          const struct few_clock *b) {
  double x[FEW_MAX_SCALARS] = {0}, y[FEW_MAX_SCALARS] = {0};
  if (o->def->schedule) {
    o->def->schedule(x, o->opts, a);
    o->def->schedule(y, o->opts, b);
  }
  for (int i = 0; i < FEW_MAX_SCALARS; i++)
    if (x[i] != y[i]) return false;
  return !o->def->target_decay ||
         o->def->target_decay(o->opts, a) == o->def->target_decay(o->opts, b);
}

/* Does anything on which the update of `step` depends differ between the two lengths? `what` names
 * it. */
static bool differs(const struct few_config *c, const struct few_config *old, int64_t step,
                    char what[96]) {
  const struct few_clock a = few__config_clock(c, step, 1), b = few__config_clock(old, step, 1);
  if (a.stage != b.stage || a.in_stage != b.in_stage) {
    snprintf(what, 96, "stage (objective %.32s)", c->objective[0].def->name);
    return true;
  }
  if (few__lr(&c->lr, a.in_stage) != few__lr(&old->lr, b.in_stage)) {
    snprintf(what, 96, "learning rate (lr_shape = %s)", few__lr_name(c->lr.shape));
    return true;
  }
  for (int i = 0; i < c->n_objectives; i++) {
    if (same_schedule(&c->objective[i], &a, &b)) continue;
    snprintf(what, 96, "schedule (objective %.32s)", c->objective[i].def->name);
    return true;
  }
  return false;
}

few_status few__config_length_check(few_ctx *ctx, const struct few_config *c, const char *dir,
                                    int64_t was, int64_t done) {
  struct few_config old = *c;
  char what[96];
  const bool further =
      c->target != FEW_TARGET_STAGE; /* a student of stages cannot start a new run */
  assert(was > 0 && done >= 0);
  if (was == c->keys.steps) return FEW_OK;
  if (done > c->keys.steps)
    return few__fail(ctx, FEW_E_INVALID,
                     "%s has done %" PRId64 " steps already, more than steps = %" PRId64
                     ": give steps = %" PRId64 ", or another run directory",
                     dir, done, c->keys.steps, was);
  old.keys.steps = was;
  FEW_TRY(few__config_lr(ctx, &old));
  for (int64_t step = 0; step < done; step++) {
    if (!differs(c, &old, step, what)) continue;
    return few__fail(ctx, FEW_E_INVALID,
                     "%s was begun with steps = %" PRId64 " and has done %" PRId64
                     ": with steps = %" PRId64 " its %s would have differed from step %" PRId64
                     " on. Give steps = %" PRId64 ", or take another run directory%s%s%s",
                     dir, was, done, c->keys.steps, what, step, was,
                     further ? ": from the start, or further with init = " : "", further ? dir : "",
                     further ? "/model.safetensors" : "");
  }
  return FEW_OK;
}
