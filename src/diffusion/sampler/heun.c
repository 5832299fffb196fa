/* heun.c - EDM's sampler (Karras et al., arXiv 2206.00364, algorithms 1 and 2).
 *
 * Heun's method in sigma = sigma_d tan t: an Euler step, which is DDIM's, then the same step with
 * the average of the noise at both ends. A step needs two evaluations; the step to t = 0 needs one.
 * sigma is infinite at pi/2, so sampling must start below.
 */
#include <math.h>

#include "churn.h"

static const struct few_option options[] = {FEW_CHURN_OPTIONS, FEW_OPT_END};

/* One corrected step: s->x is x at `from` before, and x at `to` after. `next` and F_t are scratch;
 * F_s is overwritten. */
static few_status correct(struct few_sampling *s, double from, double to, float *next, float *F_s,
                          float *F_t) {
  double w = few_step_heun(from, to);
  few_sampling_line(next, s, few_step_ddim(s->sigma_d, from, to), s->x, F_s);
  FEW_TRY(s->eval(s->user, next, to, to, F_t));
  few_sampling_line(F_s, s, few_step_noise(s->sigma_d, from), s->x, F_s);
  few_sampling_line(F_t, s, few_step_noise(s->sigma_d, to), next, F_t);
  few_sampling_line(F_t, s, (struct few_line){w, -w}, F_t, F_s);
  few_sampling_line(s->x, s, (struct few_line){1, 1}, next, F_t);
  return FEW_OK;
}

static few_status run(few_ctx *ctx, struct few_sampling *s) {
  const double last = 1.57079; /* sigma = 160,000 sigma_d */
  if (s->t[0] > last && (s->steps > 1 || s->t[1] > 0))
    return few__fail(ctx, FEW_E_INVALID,
                     "heun cannot start at t = %g, where sigma is infinite; start at or below %g, "
                     "or use ddim",
                     s->t[0], last);
  float *scratch = NULL;
  few_status st = FEW_OK;
  int64_t n = s->rows * s->dims;
  FEW_TRY(FEW_NEW(ctx, &scratch, 3 * n));
  float *next = scratch, *F_s = scratch + n, *F_t = scratch + 2 * n;
  for (int k = 0; k < s->steps; k++) {
    double from = few__churn(s, s->opts, k, F_s);
    FEW_GOTO(s->eval(s->user, s->x, from, from, F_s));
    if (s->t[k + 1] > 0)
      FEW_GOTO(correct(s, from, s->t[k + 1], next, F_s, F_t));
    else
      few_sampling_line(s->x, s, few_step_ddim(s->sigma_d, from, 0), s->x, F_s);
  }
out:
  few__free(ctx, scratch);
  return st;
}

const struct few_sampler_def few__sampler_heun = {
    .version = FEW_SAMPLER_DEF_VERSION,
    .name = "heun",
    .source = "Karras et al., arXiv 2206.00364",
    .help = "second order, two evaluations per step; deterministic unless churn is set",
    .schedule = "karras",
    .steps = 18,
    .order = 2,
    .evals_per_step = 2,
    .both_ways = true,
    .options = options,
    .options_size = sizeof(struct few_churn_opts),
    .run = run,
};
