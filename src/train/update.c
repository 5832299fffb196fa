/* update.c - all passes split the flat arrays in fixed chunks; no element depends on another. */
#include "update.h"

#include "optim/clip.h"
#include "optim/ema.h"

enum { CHUNK = 1 << 16 };

struct averaging {
  const struct few_run_state *state;
  float *average;
  double beta;
};

static void average_chunk(void *user, int64_t i, int worker) {
  const struct averaging *job = user;
  const struct few_run_state *s = job->state;
  FEW_UNUSED(worker);
  int64_t first = i * CHUNK, n = s->n_model - first < CHUNK ? s->n_model - first : CHUNK;
  few__ema_update(job->beta, n, job->average + first, s->param + first);
}

static void follow(const struct few_run_state *s, float *average, double beta,
                   few_workers *workers) {
  struct averaging job = {s, average, beta};
  few__workers_run(workers, (s->n_model + CHUNK - 1) / CHUNK, average_chunk, &job);
}

static double ema_beta(const struct few_run_state *s, const struct few_train_keys *k) {
  double batch = (double)k->batch, seen = (double)s->step * batch;
  return k->ema_power > 0 ? few__ema_beta_power(few__ema_gamma(k->ema_power), seen, batch)
                          : few__ema_beta_half_life(k->ema, k->ema_ramp, seen, batch);
}

void few__average(struct few_run_state *s, const struct few_run_recipe *r, few_workers *workers) {
  if (s->ema) follow(s, s->ema, ema_beta(s, &r->keys), workers);
  if (!s->target || r->target != FEW_TARGET_AVERAGE) return;
  const struct few_clock at = few__run_clock(r, s->step, s->stretch);
  for (int i = 0; i < r->n_objectives; i++) {
    const struct few_run_objective *o = &r->objective[i];
    if (o->def->target == FEW_TARGET_AVERAGE)
      follow(s, s->target, o->def->target_decay(o->opts, &at), workers);
  }
}

void few__update(struct few_run_state *s, const struct few_run_recipe *r, few_workers *workers,
                 const struct few_gradient *grad, double norm, double lr) {
  struct few_optim_job job = {
      .optim = r->optim, .n = grad->n, .param = s->param + grad->base, .grad = grad->at};
  for (int i = 0; i < FEW_OPTIM_MAX_STATES; i++)
    if (s->moment[i]) job.state[i] = s->moment[i] + grad->base;
  int64_t *updates = grad->base ? &s->fake_updates : &s->updates;
  ++*updates;
  r->optim->prepare(&r->optim_opts, *updates, lr, few__clip_scale(norm, r->keys.clip), &job.coef);
  few__optim_step(workers, &job);
}

void few__begin_stage(struct few_run_state *s) {
  const size_t bytes = (size_t)s->n_model * sizeof(float);
  if (s->ema) memcpy(s->param, s->ema, bytes);
  if (s->target) memcpy(s->target, s->param, bytes);
  for (int i = 0; i < FEW_OPTIM_MAX_STATES; i++)
    if (s->moment[i]) memset(s->moment[i], 0, (size_t)s->n * sizeof(float));
  s->updates = s->fake_updates = 0;
  s->usual_norm = 0;
  s->spikes = 0;
}
