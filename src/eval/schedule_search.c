/* schedule_search.c - few_schedule_search: the search of diffusion/sampler/search.c, with a metric
 * of few eval as the objective. All measurements use the same noise, so only the times differ.
 */
#include <math.h>
#include <stdio.h>

#include "diffusion/process/process.h"
#include "diffusion/sampler/search.h"
#include "evaluator.h"
#include "model/run/sample.h"

struct search {
  few_ctx *ctx;
  few_runner *runner;
  const few_model *m; /* the runner's */
  const struct few_schedule_search_opts *o;
  few_evaluator *evaluator;
  const char *labels; /* of the samples */
};

static few_status open_evaluator(struct search *j) {
  static const char *const known[] = {"fd", "kid", "sfd", "energy"}; /* less is better */
  struct few_eval_opts e = FEW_EVAL_OPTS_INIT;
  bool fine = false;
  e.metrics = j->o->metric ? j->o->metric : j->m->spec.points ? "energy" : "fd";
  for (int i = 0; i < FEW_COUNT(known); i++) fine |= !strcmp(e.metrics, known[i]);
  if (!fine)
    return few__fail(j->ctx, FEW_E_INVALID,
                     "times cannot be chosen by metric \"%.40s\": use fd, kid, sfd or energy",
                     e.metrics);
  e.source = "this model";
  e.reference = j->o->reference;
  e.features = j->o->features;
  e.n = j->o->n;
  e.n_reference = j->o->n_reference;
  e.seed = j->o->seed;
  e.sampling.guidance = j->o->guidance;
  e.label = j->o->label;
  return few__evaluator_open(j->ctx, &j->evaluator, &e,
                             &(struct few_eval_given){.runner = j->runner});
}

static few_status look(void *user, int n, const double *t, double *out) {
  struct search *j = user;
  struct few_eval_report *r;
  few__evaluator_set_times(j->evaluator, n, t);
  FEW_TRY(few__evaluator_run(j->evaluator, &r));
  *out = r->number[0].value;
  j->labels = r->labels;
  few__log(j->ctx, FEW_LOG_INFO, "%d time%s, the last %g: %s %.6g", n, n == 1 ? "" : "s", t[n - 1],
           r->number[0].name, *out);
  few_eval_report_free(r);
  return FEW_OK;
}

static few_status check(few_ctx *ctx, const few_model *m,
                        const struct few_schedule_search_opts *o) {
  const struct few_sampler_def *sampler;
  FEW_TRY(few__opts_check(ctx, "few_schedule_search_opts", o, FEW_SCHEDULE_SEARCH_OPTS_VERSION));
  if (!o->reference) return few__fail(ctx, FEW_E_INVALID, "times: name a reference");
  if (o->steps < 1 || o->steps > FEW_MODEL_MAX_TIMES)
    return few__fail(ctx, FEW_E_INVALID, "%d times: give 1 to %d", o->steps, FEW_MODEL_MAX_TIMES);
  if (!(o->tolerance > 0 && o->tolerance < 1))
    return few__fail(ctx, FEW_E_INVALID,
                     "tolerance %g: give radians above 0 and below 1, such as 0.02", o->tolerance);
  return few__sampler_find(ctx, &sampler, m->sampler);
}

few_status few_schedule_search(struct few_schedule_found *out, few_runner *r,
                               const struct few_schedule_search_opts *opts) {
  struct search j = {.ctx = r->ctx, .runner = r, .m = r->m, .o = opts, .labels = "none"};
  *out = (struct few_schedule_found){.labels = "none"};
  FEW_TRY(check(j.ctx, j.m, opts));
  struct few_search s = {.steps = opts->steps,
                         .first = few__t_max(j.m->spec.sigma_data),
                         .last = atan(FEW_SIGMA_MIN / j.m->spec.sigma_data),
                         .tolerance = opts->tolerance,
                         .value = look,
                         .user = &j};
  few_status st = open_evaluator(&j);
  if (!st) {
    st = few__search_times(j.ctx, &s, out->times, out->values);
    out->looks = s.evals;
    out->labels = j.labels;
    out->n = !st || st == FEW_E_CANCELLED ? s.found : 0;
  }
  few__evaluator_free(j.evaluator);
  return st;
}
