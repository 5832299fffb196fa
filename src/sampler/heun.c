/* heun.c - EDM's sampler (Karras et al., arXiv 2206.00364, algorithms 1 and 2).
 *
 * Heun's method in sigma = sigma_d tan t: an Euler step, which is DDIM's, then the average of the
 * noise at both ends. Two evaluations a step, one for the step to t = 0. sigma is infinite at
 * pi/2, so it starts below.
 *
 * With churn (S_churn, S_min, S_max, S_noise in the paper) each of the N steps that begins at a
 * sigma of [S_min, S_max] first adds noise, up to (1 + gamma) sigma with
 * gamma = min(S_churn/N, sqrt 2 - 1), of S_noise times the deviation that this takes.
 */
#include <math.h>

#include "sampler.h"

struct heun_opts {
  double churn, churn_min, churn_max, churn_noise;
};
static const struct few_option options[] = {
    FEW_OPT_REAL(struct heun_opts, churn, "0", 0, 1e6, "S_churn: fresh noise; 0: none"),
    FEW_OPT_REAL(struct heun_opts, churn_min, "0", 0, 1e9, "S_min: the least sigma of churn"),
    FEW_OPT_REAL(struct heun_opts, churn_max, "inf", 0, INFINITY, "S_max: the largest"),
    FEW_OPT_REAL(struct heun_opts, churn_noise, "1", 0, 10, "S_noise: size of the fresh noise"),
    FEW_OPT_END};

/* Adds the noise of step k; the time that x is at then. z is scratch. */
static double churn(struct few_sampling *s, int k, float *z) {
  const struct heun_opts *o = s->opts;
  const double most = 0.41421356237309515; /* sqrt 2 - 1 */
  double t = s->t[k], sigma = s->sigma_d * tan(t), gamma = fmin(o->churn / s->steps, most);
  if (!(gamma > 0 && sigma >= o->churn_min && sigma <= o->churn_max)) return t;
  double up = atan((1 + gamma) * tan(t));
  struct few_line line = few__step_renoise(s->sigma_d, t, up);
  line.y *= o->churn_noise;
  few__sampling_noise(s, k + 1, z);
  few__sampling_line(s, line, s->x, z, s->x);
  return up;
}

/* One corrected step: x at `from` in, x at `to` out. next and F_t are scratch, F_s is spent. */
static few_status correct(struct few_sampling *s, double from, double to, float *next, float *F_s,
                          float *F_t) {
  double w = few__step_heun(from, to);
  few__sampling_line(s, few__step_ddim(s->sigma_d, from, to), s->x, F_s, next);
  FEW_TRY(s->eval(s->user, next, to, to, F_t));
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
    double from = churn(s, k, F_s);
    FEW_GOTO(s->eval(s->user, s->x, from, from, F_s));
    if (s->t[k + 1] > 0)
      FEW_GOTO(correct(s, from, s->t[k + 1], next, F_s, F_t));
    else
      few__sampling_line(s, few__step_ddim(s->sigma_d, from, 0), s->x, F_s, s->x);
  }
out:
  few__free(ctx, scratch);
  return st;
}

const struct few_sampler few__sampler_heun = {
    .name = "heun",
    .source = "Karras et al., arXiv 2206.00364",
    .help = "second order, two evaluations a step; deterministic unless churn is set",
    .schedule = FEW_SCHEDULE_KARRAS,
    .steps = 18,
    .order = 2,
    .evals_per_step = 2,
    .both_ways = true,
    .options = options,
    .options_size = sizeof(struct heun_opts),
    .run = run,
};
