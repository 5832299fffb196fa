/* arrays.c - see arrays.h. */
#include "arrays.h"

#include "train/optim/clip.h"
#include "train/optim/ema.h"

few_status few__arrays_open(few_ctx *ctx, struct few_arrays *out, few_workers *workers,
                            const struct few_backend *backend) {
  *out = (struct few_arrays){.ctx = ctx, .workers = workers, .backend = backend};
  if (!backend->device) return FEW_OK;
  FEW_TRY(few__backend_open(ctx, backend, &out->queue));
  out->device = backend->device;
  out->parts = out->device->alloc(out->queue, FEW_DOT_PARTS * sizeof *out->parts);
  return out->parts ? FEW_OK : few__fail(ctx, FEW_E_MEMORY, "out of memory on the device");
}

void few__arrays_close(struct few_arrays *s) {
  if (!s->device) return;
  s->device->free(s->queue, s->parts);
  s->device->close(s->queue);
  *s = (struct few_arrays){.ctx = s->ctx};
}

few_status few__arrays_finish(const struct few_arrays *s) {
  const char *why = s->device ? s->device->finish(s->queue) : NULL;
  return why ? few__fail(s->ctx, FEW_E_IO, "backend %s: %s", s->backend->name, why) : FEW_OK;
}

/* ---- memory ---- */

float *few__arrays_raw(const struct few_arrays *s, int64_t n) {
  assert(n >= 0);
  const size_t bytes = few__mul_size((size_t)n, sizeof(float));
  return s->device ? s->device->alloc(s->queue, bytes) : few__alloc(s->ctx, bytes);
}

few_status few__arrays_new(const struct few_arrays *s, float **out, int64_t n) {
  *out = NULL;
  if (!s->device) return FEW_NEW(s->ctx, out, n);
  float *at = few__arrays_raw(s, n);
  if (!at)
    return few__fail(s->ctx, FEW_E_MEMORY,
                     "out of memory on the device: %.0f MiB are needed for an array as long "
                     "as the parameters",
                     (double)n * sizeof(float) / 1048576);
  *out = at;
  few__arrays_zero(s, *out, n);
  return FEW_OK;
}

void few__arrays_free(const struct few_arrays *s, float *at) {
  if (s->device)
    s->device->free(s->queue, at);
  else
    few__free(s->ctx, at);
}

void few__arrays_put(const struct few_arrays *s, float *to, const float *from, int64_t n) {
  assert(n >= 0 && to != from);
  if (s->device)
    s->device->put(s->queue, to, from, (size_t)n * sizeof *to);
  else
    memcpy(to, from, (size_t)n * sizeof *to);
}

few_status few__arrays_get(const struct few_arrays *s, float *to, const float *from, int64_t n) {
  if (!s->device) {
    memcpy(to, from, (size_t)n * sizeof *to);
    return FEW_OK;
  }
  s->device->get(s->queue, to, from, (size_t)n * sizeof *to);
  return few__arrays_finish(s);
}

/* ---- passes ---- */

void few__arrays_zero(const struct few_arrays *s, float *x, int64_t n) {
  if (s->device)
    s->device->vector->zero(s->queue, x, n);
  else
    memset(x, 0, (size_t)n * sizeof *x);
}

void few__arrays_copy(const struct few_arrays *s, float *to, const float *from, int64_t n) {
  if (s->device)
    s->device->vector->copy(s->queue, to, from, n);
  else
    memcpy(to, from, (size_t)n * sizeof *to);
}

void few__arrays_scale(const struct few_arrays *s, float *x, float by, int64_t n) {
  if (s->device)
    s->device->vector->scale(s->queue, x, by, n);
  else
    for (int64_t i = 0; i < n; i++) x[i] *= by;
}

void few__arrays_add(const struct few_arrays *s, float *to, const float *from, int64_t n) {
  if (s->device)
    s->device->vector->add(s->queue, to, from, n);
  else
    for (int64_t i = 0; i < n; i++) to[i] += from[i];
}

/* ---- sums ---- */

static few_status device_dot(const struct few_arrays *s, int64_t n, const float *a, const float *b,
                             double *out) {
  double part[FEW_DOT_PARTS];
  s->device->vector->dot(s->queue, s->parts, a, b, n);
  s->device->get(s->queue, part, s->parts, sizeof part);
  *out = few__sum_tree(part, FEW_DOT_PARTS);
  return few__arrays_finish(s);
}

few_status few__arrays_sumsq(const struct few_arrays *s, int64_t n, const float *g, double *out) {
  return s->device ? device_dot(s, n, g, g, out) : few__sumsq(s->ctx, s->workers, n, g, out);
}

few_status few__arrays_balance(const struct few_arrays *s, const struct few_balancer *b,
                               int n_grads, int64_t n, int64_t n_shared, const double *given,
                               float *grad, double *factor) {
  double gram[FEW_BALANCE_MAX * FEW_BALANCE_MAX];
  assert(b->weigh && n_grads <= FEW_BALANCE_MAX && n_shared >= 0 && n_shared <= n);
  if (!s->device)
    return few__balance(s->ctx, s->workers, b, n_grads, n, n_shared, given, grad, factor);
  for (int i = 0; i < n_grads; i++)
    for (int k = i; k < n_grads; k++) {
      double *at = &gram[i * n_grads + k];
      FEW_TRY(device_dot(s, n_shared, grad + i * n, grad + k * n, at));
      gram[k * n_grads + i] = *at;
    }
  b->weigh(n_grads, gram, given, factor);
  s->device->vector->combine(s->queue, grad, n_shared, n, n_grads, factor);
  s->device->vector->combine(s->queue, grad + n_shared, n - n_shared, n, n_grads, given);
  return FEW_OK;
}

/* ---- updates ---- */

void few__arrays_step(const struct few_arrays *s, const struct few_optim_job *job) {
  assert(job->optim && job->param != job->grad && job->n_average <= job->n);
  if (!s->device) {
    few__optim_step(s->workers, job);
    return;
  }
  assert(job->optim->moments); /* the trainer refuses others */
  const struct few_moments step = {.coef = job->coef,
                                   .n = job->n,
                                   .param = job->param,
                                   .grad = job->grad,
                                   .m = job->state[0],
                                   .v = job->state[1],
                                   .average = job->average,
                                   .n_average = job->n_average,
                                   .beta = job->beta};
  s->device->vector->moments(s->queue, &step);
}

enum { CHUNK = 1 << 16 };

struct averaging {
  double beta;
  int64_t n;
  float *average;
  const float *param;
};

static void average_chunk(void *user, int64_t i, int worker) {
  const struct averaging *job = user;
  FEW_UNUSED(worker);
  const int64_t first = i * CHUNK, n = job->n - first < CHUNK ? job->n - first : CHUNK;
  few__ema_update(job->beta, n, job->average + first, job->param + first);
}

void few__arrays_follow(const struct few_arrays *s, double beta, int64_t n, float *average,
                        const float *p) {
  struct averaging job = {beta, n, average, p};
  assert(beta >= 0 && beta <= 1 && average != p);
  if (s->device)
    s->device->vector->follow(s->queue, average, p, (float)(1 - beta), n);
  else
    few__workers_run(s->workers, (n + CHUNK - 1) / CHUNK, average_chunk, &job);
}
