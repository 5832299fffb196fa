/* update.c - see update.h. All operations are elementwise (arrays.h). */
#include "update.h"

#include "posthoc.h"
#include "train/optim/clip.h"
#include "train/optim/ema.h"

static double ema_beta(const struct few_run_state *s, const struct few_train_keys *k) {
  double batch = (double)k->batch, seen = (double)s->step * batch;
  return k->ema_power > 0 ? few__ema_beta_power(few__ema_gamma(k->ema_power), seen, batch)
                          : few__ema_beta_half_life(k->ema, k->ema_ramp, seen, batch);
}

/* The decay mu(k) is that of the step just made, k. At most one objective has such a target. */
void few__follow(struct few_run_state *s, const struct few_config *c) {
  const struct few_state_arrays *a = &s->there;
  if (!a->target || c->target != FEW_TARGET_AVERAGE) return;
  const struct few_clock at = few__config_clock(c, s->step > 0 ? s->step - 1 : 0, s->stretch);
  int i = 0;
  while (c->objective[i].def->target != FEW_TARGET_AVERAGE) i++;
  assert(i < c->n_objectives);
  const double decay = c->objective[i].def->target_decay(c->objective[i].opts, &at);
  few__arrays_follow(s->arrays, decay, s->n_model, a->target, a->param);
}

static void follow_history(struct few_run_state *s, const struct few_train_keys *k) {
  const double batch = (double)k->batch, seen = (double)s->step * batch;
  for (int i = 0; i < FEW_HISTORIES && s->there.history[i]; i++) {
    const double gamma = few__ema_gamma(few__history_width[i]);
    const double beta = few__ema_beta_power(gamma, seen, batch);
    few__arrays_follow(s->arrays, beta, s->n_model, s->there.history[i], s->there.param);
  }
}

void few__update(struct few_run_state *s, const struct few_config *c,
                 const struct few_gradient *grad, double norm, double lr) {
  assert(grad->n > 0 && grad->base >= 0 && grad->base + grad->n <= s->n && lr >= 0);
  struct few_optim_job job = {
      .optim = c->optim, .n = grad->n, .param = s->there.param + grad->base, .grad = grad->at};
  for (int i = 0; i < FEW_OPTIM_MAX_STATES; i++)
    if (s->there.moment[i]) job.state[i] = s->there.moment[i] + grad->base;
  if (!grad->base && s->there.ema) {
    job.average = s->there.ema;
    job.n_average = s->n_model;
    job.beta = ema_beta(s, &c->keys);
  }
  int64_t *updates = grad->base ? &s->fake_updates : &s->updates;
  ++*updates;
  c->optim->prepare(&c->optim_opts, *updates, lr, few__clip_scale(norm, c->keys.clip), &job.coef);
  few__arrays_step(s->arrays, &job);
  if (!grad->base) follow_history(s, &c->keys);
}

void few__begin_stage(struct few_run_state *s) {
  const struct few_state_arrays *a = &s->there;
  if (a->ema) few__arrays_copy(s->arrays, a->param, a->ema, s->n_model);
  if (a->target) few__arrays_copy(s->arrays, a->target, a->param, s->n_model);
  for (int i = 0; i < FEW_OPTIM_MAX_STATES; i++)
    if (a->moment[i]) few__arrays_zero(s->arrays, a->moment[i], s->n);
  s->updates = s->fake_updates = 0;
  s->usual_norm = 0;
  s->spikes = 0;
}
