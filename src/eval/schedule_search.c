/* schedule_search.c - few_schedule_search: the search of diffusion/sampler/search.c over what few eval measures.
 *
 * All looks draw the same noise, so that their measures differ by the times alone. The times at
 * hand are given to the model as its own, which is where its sampler takes them from.
 */
#include <math.h>
#include <stdio.h>

#include "diffusion/process/process.h"
#include "diffusion/sampler/search.h"
#include "evaluator.h"
#include "model/model.h"

struct search {
  few_ctx *ctx;
  few_model *m;
  const struct few_schedule_search_opts *o;
  few_evaluator *evaluator;
  bool found; /* times, which are the model's now */
};

static few_status open_evaluator(struct search *j) {
  static const char *const known[] = {"fd", "kid", "sfd", "energy"}; /* the less the better */
  struct few_eval_opts e = FEW_EVAL_OPTS_INIT;
  bool fine = false;
  e.metrics = j->o->metric ? j->o->metric : j->m->spec.points ? "energy" : "fd";
  for (int i = 0; i < FEW_COUNT(known); i++) fine |= !strcmp(e.metrics, known[i]);
  if (!fine)
    return few__fail(j->ctx, FEW_E_INVALID, "times by \"%.40s\": use fd, kid, sfd or energy",
                     e.metrics);
  e.source = "this model";
  e.reference = j->o->reference;
  e.features = j->o->features;
  e.n = j->o->n;
  e.n_reference = j->o->n_reference;
  e.seed = j->o->seed;
  e.sampling.guidance = j->o->guidance;
  e.label = j->o->label;
  return few__evaluator_open(j->ctx, &j->evaluator, &e, &(struct few_eval_given){.model = j->m});
}

static few_status look(void *user, int n, const double *t, double *out) {
  struct search *j = user;
  struct few_eval_report *r;
  FEW_TRY(few_model_set_times(j->m, n, t));
  FEW_TRY(few__evaluator_run(j->evaluator, &r));
  *out = r->number[0].value;
  if (j->o->labels) *j->o->labels = r->labels;
  few__log(j->ctx, FEW_LOG_INFO, "%d time%s, the last %g: %s %.6g", n, n == 1 ? "" : "s", t[n - 1],
           r->number[0].name, *out);
  few_eval_report_free(r);
  return FEW_OK;
}

static few_status check(few_model *m, const struct few_schedule_search_opts *o) {
  const struct few_sampler_def *sampler;
  FEW_TRY(few__opts_check(m->ctx, "few_schedule_search_opts", o, FEW_SCHEDULE_SEARCH_OPTS_VERSION));
  if (!o->reference) return few__fail(m->ctx, FEW_E_INVALID, "times: name a reference");
  if (o->steps < 1 || o->steps > FEW_MODEL_MAX_TIMES)
    return few__fail(m->ctx, FEW_E_INVALID, "%d times: give 1 to %d", o->steps,
                     FEW_MODEL_MAX_TIMES);
  if (!(o->tolerance > 0 && o->tolerance < 1))
    return few__fail(m->ctx, FEW_E_INVALID,
                     "tolerance %g: give radians above 0 and below 1, as 0.02", o->tolerance);
  return few__sampler_find(m->ctx, &sampler, m->sampler);
}

static few_status search(struct search *j, double *t, double *values, int *looks) {
  struct few_search s = {.steps = j->o->steps,
                         .first = few__t_max(j->m->spec.sigma_data),
                         .last = atan(FEW_SIGMA_MIN / j->m->spec.sigma_data),
                         .tolerance = j->o->tolerance,
                         .value = look,
                         .user = j};
  FEW_TRY(open_evaluator(j));
  few_status st = few__search_times(j->ctx, &s, t, values);
  if (looks) *looks = s.evals;
  if (st && (st != FEW_E_CANCELLED || !s.found)) return st;
  FEW_TRY(few_model_set_times(j->m, s.found, t));
  j->found = true;
  return st;
}

few_status few_schedule_search(few_model *m, const struct few_schedule_search_opts *opts,
                               double *values, int *looks) {
  struct search j = {.ctx = m->ctx, .m = m, .o = opts};
  double *t = NULL, *before = m->times;
  const int n_before = m->n_times;
  if (looks) *looks = 0;
  FEW_TRY(check(m, opts));
  FEW_TRY(FEW_NEW(m->ctx, &t, opts->steps));
  m->times = NULL;
  m->n_times = 0;
  few_status st = search(&j, t, values, looks);
  if (!j.found) {
    m->times = before;
    m->n_times = n_before;
  }
  few__evaluator_free(j.evaluator);
  few__free(m->ctx, t);
  return st;
}
