/* optim.c - the table of optimizers, and an optimizer's step on several workers. */
#include "optim.h"

#include "ema.h"

static const struct few_optim *const table[] = {
#define FEW_OPTIMIZER(name) &few__optim_##name,
#include "optimizers.def"
#undef FEW_OPTIMIZER
};

static const char names[] =
#define FEW_OPTIMIZER(name) " " #name
#include "optimizers.def"
#undef FEW_OPTIMIZER
    ;

int few__optim_count(void) { return FEW_COUNT(table); }

const struct few_optim *few__optim_at(int i) {
  assert(i >= 0 && i < FEW_COUNT(table));
  return table[i];
}

few_status few__optim_find(few_ctx *ctx, const struct few_optim **out, const char *name) {
  for (int i = 0; i < FEW_COUNT(table); i++)
    if (!strcmp(table[i]->name, name)) {
      *out = table[i];
      return FEW_OK;
    }
  return few__fail(ctx, FEW_E_INVALID, "there is no optimizer \"%s\"; give one of%s", name, names);
}

few_status few__optim_check(few_ctx *ctx, const struct few_optim_opts *o) {
  if (o->version != FEW_OPTIM_OPTS_VERSION)
    return few__fail(ctx, FEW_E_INVALID, "optimizer options of version %d; this library has %d",
                     o->version, FEW_OPTIM_OPTS_VERSION);
  if (!(o->beta1 >= 0 && o->beta1 < 1 && o->beta2 >= 0 && o->beta2 < 1))
    return few__fail(ctx, FEW_E_INVALID, "betas %g and %g must lie in [0, 1); try 0.9 and 0.999",
                     o->beta1, o->beta2);
  if (!(o->eps >= 0)) return few__fail(ctx, FEW_E_INVALID, "eps %g is negative; try 1e-8", o->eps);
  if (!(o->weight_decay >= 0))
    return few__fail(ctx, FEW_E_INVALID, "weight decay %g is negative; try 0", o->weight_decay);
  if (!(o->rectify_above >= 4))
    return few__fail(ctx, FEW_E_INVALID,
                     "rectify_above %g is below 4, where RAdam's rectifier is imaginary; try 5",
                     o->rectify_above);
  return FEW_OK;
}

enum { STEP_CHUNK = 1 << 16 };

static void step_task(void *user, int64_t i, int worker) {
  FEW_UNUSED(worker);
  const struct few_optim_job *job = user;
  int64_t begin = i * STEP_CHUNK, n = job->n - begin;
  if (n > STEP_CHUNK) n = STEP_CHUNK;
  float *state[FEW_OPTIM_MAX_STATES] = {NULL};
  for (int k = 0; k < job->optim->states; k++) state[k] = job->state[k] + begin;
  job->optim->update(&job->coef, n, job->param + begin, job->grad + begin, state);
  const int64_t left = job->average ? job->n_average - begin : 0;
  if (left > 0)
    few__ema_update(job->beta, left < n ? left : n, job->average + begin, job->param + begin);
}

void few__optim_step(few_workers *w, const struct few_optim_job *job) {
  int64_t chunks = (job->n + STEP_CHUNK - 1) / STEP_CHUNK;
  struct few_optim_job j = *job;
  if (w) {
    few__workers_run(w, chunks, step_task, &j);
    return;
  }
  for (int64_t i = 0; i < chunks; i++) step_task(&j, i, 0);
}
