/* olss.c - the long run of a model to which a schedule is fitted.
 *
 * The long run is an ordinary few_sample that records each evaluation. Its states and the network's
 * outputs go to diffusion/sampler/olss_fit.c, and the result to a file (olss_file.c).
 */
#include "diffusion/sampler/olss.h"

#include "olss_file.h"
#include "sample.h"

struct record {
  int64_t dims, n; /* of an image, of all */
  int k;           /* evaluations of the current block so far */
  float *x, *F;
};

static void see(void *user, const struct few_sample_view *v) {
  struct record *r = user;
  const int64_t at = r->k * r->n + v->first * r->dims;
  const size_t bytes = (size_t)(v->rows * r->dims) * sizeof *v->x;
  assert(v->rows > 0 && (v->first + v->rows) * r->dims <= r->n); /* of those requested */
  memcpy(r->x + at, v->x, bytes);
  if (v->F) memcpy(r->F + at, v->F, bytes);
  r->k = v->F ? r->k + 1 : 0;
}

static few_status check(const few_runner *r, const struct few_olss_opts *o, int64_t n) {
  const struct few_sampler_def *s;
  const int64_t dims = r->m->spec.h * r->m->spec.w * r->m->spec.c;
  if (o->full < 1 || o->full > FEW_OLSS_MAX_STEPS || o->steps < 1 || o->steps > o->full)
    return few__fail(r->ctx, FEW_E_INVALID,
                     "%d steps of a long run of %d: give 1 to %d, and no more than the run has",
                     o->steps, o->full, FEW_OLSS_MAX_STEPS);
  if (n < 1 || n > INT32_MAX / dims || n * dims < 2 * (int64_t)o->full + 1)
    return few__fail(r->ctx, FEW_E_INVALID,
                     "a fit to %lld samples: %d steps need at least %lld, and at most %lld fit",
                     (long long)n, o->full, (long long)((2 * o->full) / dims + 1),
                     (long long)(INT32_MAX / dims));
  if (!o->sampler)
    return few__fail(r->ctx, FEW_E_INVALID, "a long run without a sampler: give ddim");
  FEW_TRY(few__sampler_find(r->ctx, &s, o->sampler));
  if (s->order > 0 && s->evals_per_step == 1) return FEW_OK;
  return few__fail(r->ctx, FEW_E_INVALID,
                   "a long run of %s: give a solver of one evaluation per step, such as ddim or "
                   "dpmpp",
                   s->name);
}

static few_status run_long(few_runner *runner, const struct few_olss_opts *o, int64_t n,
                           struct record *r, double *t) {
  struct few_sample_opts s = FEW_SAMPLE_OPTS_INIT;
  const struct few_sample_path path = {.see = see, .user = r};
  struct few_sample_resolved resolved;
  few_ctx *ctx = runner->ctx;
  float *out = NULL;
  s.n = n;
  s.steps = o->full;
  s.seed = o->seed;
  s.sampler = o->sampler;
  s.schedule = o->schedule ? o->schedule : "default"; /* not the model's own times */
  s.label = o->label;
  s.guidance = o->guidance;
  FEW_TRY(few__sample_resolve(ctx, &resolved, runner->m, &s, FEW_TO_IMAGES));
  if (resolved.times.schedule == FEW_SCHEDULE_DEFAULT)
    resolved.times.schedule = few__sampler_schedule(resolved.sampler);
  few_status st = few__times(ctx, &resolved.times, runner->m->spec.sigma_data, t);
  few__sample_resolved_free(ctx, &resolved);
  if (st) return st;
  FEW_TRY(FEW_NEW(ctx, &out, r->n));
  st = few__sample_run(runner, &s, &path, out, NULL, NULL);
  few__free(ctx, out);
  return st;
}

few_status few_olss(struct few_olss_step *step, few_runner *runner,
                    const struct few_olss_opts *opts, const char *path) {
  few_ctx *ctx = runner->ctx;
  const few_model *m = runner->m;
  FEW_TRY(few__opts_check(ctx, "few_olss_opts", opts, FEW_OLSS_OPTS_VERSION));
  if (!path) return few__fail(ctx, FEW_E_INVALID, "olss: no file to write: give a path");
  const int64_t dims = m->spec.h * m->spec.w * m->spec.c;
  const int64_t least = 4 * (2 * (int64_t)opts->full + 1) / dims + 1;
  const int64_t n = opts->n ? opts->n : least > 16 ? least : 16;
  struct record r = {.dims = dims};
  struct few_olss *o = NULL;
  double *t = NULL;
  few_status st;
  FEW_TRY(check(runner, opts, n));
  r.n = n * dims;
  FEW_TRY(few__model_field_check(ctx, m, "a fitted schedule"));
  FEW_GOTO(FEW_NEW(ctx, &t, opts->full + 1));
  FEW_GOTO(FEW_NEW(ctx, &r.x, (opts->full + 1) * r.n));
  FEW_GOTO(FEW_NEW(ctx, &r.F, opts->full * r.n));
  FEW_GOTO(run_long(runner, opts, n, &r, t));
  struct few_olss_run run = {opts->full, t, r.n, r.x, r.F, m->spec.sigma_data};
  FEW_GOTO(few__olss_fit(ctx, &o, &run, opts->steps, !opts->even));
  for (int k = 0; step && k < opts->steps; k++)
    step[k] = (struct few_olss_step){o->t[k], o->rms[k], o->ddim_rms[k]};
  FEW_GOTO(few__olss_write(ctx, o, opts, n, path));
out:
  few__olss_free(ctx, o);
  few__free(ctx, t);
  few__free(ctx, r.x);
  few__free(ctx, r.F);
  return st;
}
