/* update.c - both passes split the flat array in fixed chunks; no element depends on another. */
#include "update.h"

#include "optim/clip.h"
#include "optim/ema.h"

enum { CHUNK = 1 << 16 };

struct averaging {
  struct few_run_state *state;
  double beta;
};

static void average_chunk(void *user, int64_t i, int worker) {
  struct averaging *job = user;
  struct few_run_state *s = job->state;
  FEW_UNUSED(worker);
  int64_t first = i * CHUNK, n = s->n_model - first < CHUNK ? s->n_model - first : CHUNK;
  few__ema_update(job->beta, n, s->ema + first, s->param + first);
}

static void average(struct few_run_state *s, const struct few_train_keys *k, few_workers *workers) {
  if (!s->ema) return;
  double batch = (double)k->batch, seen = (double)s->step * batch;
  struct averaging job = {s, 0};
  job.beta = k->ema_power > 0 ? few__ema_beta_power(few__ema_gamma(k->ema_power), seen, batch)
                              : few__ema_beta_half_life(k->ema, k->ema_ramp, seen, batch);
  few__workers_run(workers, (s->n_model + CHUNK - 1) / CHUNK, average_chunk, &job);
}

void few__update(struct few_run_state *s, const struct few_run_recipe *r, few_workers *workers,
                 const float *grad, double norm, double lr) {
  struct few_optim_job job = {.optim = r->optim, .n = s->n, .param = s->param, .grad = grad};
  for (int i = 0; i < FEW_OPTIM_MAX_STATES; i++) job.state[i] = s->moment[i];
  s->updates++;
  r->optim->prepare(&r->optim_opts, s->updates, lr, few__clip_scale(norm, r->keys.clip), &job.coef);
  few__optim_step(workers, &job);
  average(s, &r->keys, workers);
}
