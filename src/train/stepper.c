/* stepper.c - see stepper.h. */
#include "stepper.h"

#include <math.h>

#include "guard.h"
#include "update.h"

few_status few__stepper_open(few_ctx *ctx, struct few_stepper *s, const struct few_setup *setup,
                             const few_model *student, const struct few_arrays *arrays) {
  assert(setup && student && arrays && !s->shards);
  s->networks = (struct few_networks){setup, student, &s->head, &s->fake_head};
  s->rows = (struct few_row_source){setup, student, NULL};
  const struct few_shards_opts o = {
      .networks = s->networks, .fill = few__rows_fill, .user = &s->rows, .arrays = arrays};
  return few__shards_create(ctx, &s->shards, &o);
}

void few__stepper_close(few_ctx *ctx, struct few_stepper *s) {
  few__shards_free(s->shards);
  few__pairs_close(s->pairs);
  few__params_free(ctx, &s->head);
  few__params_free(ctx, &s->fake_head);
  *s = (struct few_stepper){.shards = NULL};
}

few_status few__stepper_pairs(few_ctx *ctx, struct few_stepper *s, const char *dir) {
  const struct few_setup *setup = s->networks.setup;
  const double began = few__now();
  assert(!s->pairs);
  if (!setup->config.needs_pairs) return FEW_OK;
  FEW_TRY(few__pairs_open(ctx, &s->pairs, setup, dir));
  s->rows.pairs = s->pairs;
  s->pairs_seconds = few__now() - began;
  return FEW_OK;
}

/* ---- a step ---- */

static struct few_values values(const struct few_run_state *s) {
  return (struct few_values){s->there.param, s->there.target};
}

static few_status update_fake(const struct few_stepper *s, struct few_run_state *state,
                              const struct few_clock *at, struct few_meter *meter,
                              struct few_step *out) {
  const struct few_config *c = &s->networks.setup->config;
  const struct few_train_keys *k = &c->keys;
  const struct few_values v = values(state);
  struct few_step_report *report = &out->report[FEW_PHASE_FAKE];
  struct few_gradient grad;
  double squares, lr = out->lr * (k->fake_lr > 0 ? k->fake_lr / k->lr : 1);
  for (int64_t i = 0; i < k->fake_updates; i++) {
    FEW_TRY(few__shards_step(s->shards, FEW_PHASE_FAKE, at, at->step * k->fake_updates + i, &v,
                             &grad, report));
    FEW_TRY(few__arrays_sumsq(state->arrays, grad.n, grad.at, &squares));
    if (!isfinite(report->loss)) out->trouble = "the fake network's loss is not finite";
    if (!isfinite(squares)) out->trouble = "the fake network's gradient is not finite";
    if (out->trouble) return FEW_OK;
    few__update(state, c, &grad, sqrt(squares), lr);
    few__meter_add(meter, FEW_PHASE_FAKE, report, sqrt(squares));
  }
  out->reached[FEW_PHASE_FAKE] = true;
  return FEW_OK;
}

static few_status balance(const struct few_config *c, const struct few_run_state *state,
                          struct few_gradient *grad, struct few_meter *meter) {
  double factor[FEW_BALANCE_MAX];
  if (grad->n_grads == 1) return FEW_OK;
  FEW_TRY(few__arrays_balance(state->arrays, c->balance, grad->n_grads, grad->n, state->n_model,
                              grad->weight, grad->at, factor));
  few__meter_balance(meter, grad->n_grads, factor);
  return FEW_OK;
}

static few_status update_student(const struct few_stepper *s, struct few_run_state *state,
                                 const struct few_clock *at, struct few_meter *meter,
                                 struct few_step *out) {
  const struct few_config *c = &s->networks.setup->config;
  const struct few_values v = values(state);
  struct few_step_report *report = &out->report[FEW_PHASE_STUDENT];
  struct few_gradient grad;
  double squares;
  FEW_TRY(few__shards_step(s->shards, FEW_PHASE_STUDENT, at, state->step, &v, &grad, report));
  FEW_TRY(balance(c, state, &grad, meter));
  FEW_TRY(few__arrays_sumsq(state->arrays, grad.n, grad.at, &squares));
  out->loss = report->loss;
  out->norm = sqrt(squares);
  out->reached[FEW_PHASE_STUDENT] = true;
  const enum few_verdict verdict = few__guard_look(state, &c->keys, out->loss, out->norm);
  if (verdict == FEW_GUARD_TROUBLE) {
    out->trouble = !isfinite(out->loss)   ? "loss is not finite"
                   : !isfinite(out->norm) ? "gradient is not finite"
                                          : "gradient spikes";
    return FEW_OK;
  }
  state->step++;
  out->skipped = verdict == FEW_GUARD_SPIKE;
  if (out->skipped) return FEW_OK;
  few__update(state, c, &grad, out->norm, out->lr);
  few__follow(state, c);
  few__meter_add(meter, FEW_PHASE_STUDENT, report, out->norm);
  return FEW_OK;
}

few_status few__stepper_step(const struct few_stepper *s, struct few_run_state *state,
                             const struct few_clock *at, struct few_meter *meter,
                             struct few_step *out) {
  const struct few_setup *setup = s->networks.setup;
  assert(s->shards && at->step == state->step);
  *out = (struct few_step){
      .lr = few__lr(&setup->config.lr, at->in_stage) * state->lr_factor, .loss = NAN, .norm = NAN};
  if (few__has_fake(setup)) FEW_TRY(update_fake(s, state, at, meter, out));
  return out->trouble ? FEW_OK : update_student(s, state, at, meter, out);
}
