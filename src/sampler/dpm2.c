/* dpm2.c - DPM-Solver-2, second order with one evaluation a step (Lu et al., arXiv 2206.00927, as a
 * multistep method; on TrigFlow's circle: arXiv 2410.11081, eq. 27).
 *
 * As dpmpp.c, but it is the noise e = sin(t) x + cos(t) sigma_d F that is extrapolated linearly in
 * ln tan t. The first step and the one to t = 0 are DDIM's.
 */
#include "sampler.h"

static few_status run(few_ctx *ctx, struct few_sampling *s) {
  float *scratch = NULL;
  few_status st = FEW_OK;
  int64_t n = s->rows * s->dims;
  FEW_TRY(FEW_NEW(ctx, &scratch, 3 * n));
  float *F = scratch, *e = scratch + n, *e_before = scratch + 2 * n;
  for (int k = 0; k < s->steps; k++) {
    double from = s->t[k], to = s->t[k + 1];
    FEW_GOTO(s->eval(s->user, s->x, from, from, F));
    few__sampling_line(s, few__step_noise(s->sigma_d, from), s->x, F, e);
    few__sampling_line(s, few__step_ddim(s->sigma_d, from, to), s->x, F, s->x);
    if (k > 0) {
      double w = few__step_dpm_2m(s->t[k - 1], from, to);
      few__sampling_line(s, (struct few_line){w, -w}, e_before, e, e_before);
      few__sampling_line(s, (struct few_line){1, 1}, s->x, e_before, s->x);
    }
    float *swap = e;
    e = e_before;
    e_before = swap;
  }
out:
  few__free(ctx, scratch);
  return st;
}

const struct few_sampler few__sampler_dpm2 = {
    .name = "dpm2",
    .source = "Lu et al., arXiv 2206.00927; Lu and Song, arXiv 2410.11081, eq. 27",
    .help = "second order in the noise, deterministic, one evaluation a step (DPM-Solver-2)",
    .schedule = FEW_SCHEDULE_LOGSNR,
    .steps = 25,
    .order = 2,
    .evals_per_step = 1,
    .run = run,
};
