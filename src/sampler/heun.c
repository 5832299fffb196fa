/* heun.c - EDM's deterministic sampler (Karras et al., arXiv 2206.00364, algorithm 1).
 *
 * Heun's method in sigma = sigma_d tan t: an Euler step, which is DDIM's, then the average of the
 * noise at both ends. Two evaluations a step, one for the step to t = 0. sigma is infinite at
 * pi/2, so it starts below.
 */
#include "sampler.h"

/* One corrected step: x at t[k] in, x at t[k+1] out. next and F_t are scratch, F_s is spent. */
static few_status correct(struct few_sampling *s, int k, float *next, float *F_s, float *F_t) {
  double from = s->t[k], to = s->t[k + 1], w = few__step_heun(from, to);
  few__sampling_line(s, few__step_ddim(s->sigma_d, from, to), s->x, F_s, next);
  FEW_TRY(s->eval(s->user, next, to, F_t));
  few__sampling_line(s, few__step_noise(s->sigma_d, from), s->x, F_s, F_s);
  few__sampling_line(s, few__step_noise(s->sigma_d, to), next, F_t, F_t);
  few__sampling_line(s, (struct few_line){w, -w}, F_t, F_s, F_t);
  few__sampling_line(s, (struct few_line){1, 1}, next, F_t, s->x);
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
    FEW_GOTO(s->eval(s->user, s->x, s->t[k], F_s));
    if (s->t[k + 1] > 0)
      FEW_GOTO(correct(s, k, next, F_s, F_t));
    else
      few__sampling_line(s, few__step_ddim(s->sigma_d, s->t[k], 0), s->x, F_s, s->x);
  }
out:
  few__free(ctx, scratch);
  return st;
}

const struct few_sampler few__sampler_heun = {
    .name = "heun",
    .source = "Karras et al., arXiv 2206.00364",
    .help = "second order, deterministic, two evaluations a step",
    .schedule = FEW_SCHEDULE_KARRAS,
    .order = 2,
    .evals_per_step = 2,
    .run = run,
};
