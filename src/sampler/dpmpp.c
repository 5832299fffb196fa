/* dpmpp.c - DPM-Solver++ (2M), second order with one evaluation a step (Lu et al., arXiv
 * 2211.01095; on TrigFlow's circle: arXiv 2410.11081, eq. 28).
 *
 * DDIM holds the denoised image D fixed within a step; this extrapolates it linearly in ln tan t
 * from the step before. The first step and the one to t = 0 are DDIM's.
 */
#include "sampler.h"

static few_status run(few_ctx *ctx, struct few_sampling *s) {
  float *scratch = NULL;
  few_status st = FEW_OK;
  int64_t n = s->rows * s->dims;
  FEW_TRY(FEW_NEW(ctx, &scratch, 3 * n));
  float *F = scratch, *D = scratch + n, *D_before = scratch + 2 * n;
  for (int k = 0; k < s->steps; k++) {
    double from = s->t[k], to = s->t[k + 1];
    FEW_GOTO(s->eval(s->user, s->x, from, from, F));
    few__sampling_line(s, few__step_denoise(s->sigma_d, from), s->x, F, D);
    few__sampling_line(s, few__step_ddim(s->sigma_d, from, to), s->x, F, s->x);
    if (k > 0) {
      double w = few__step_dpmpp_2m(s->t[k - 1], from, to);
      few__sampling_line(s, (struct few_line){w, -w}, D_before, D, D_before);
      few__sampling_line(s, (struct few_line){1, 1}, s->x, D_before, s->x);
    }
    float *swap = D;
    D = D_before;
    D_before = swap;
  }
out:
  few__free(ctx, scratch);
  return st;
}

const struct few_sampler few__sampler_dpmpp = {
    .name = "dpmpp",
    .source = "Lu et al., arXiv 2211.01095; Lu and Song, arXiv 2410.11081, eq. 28",
    .help = "second order, deterministic, one evaluation a step (DPM-Solver++ 2M)",
    .schedule = FEW_SCHEDULE_KARRAS,
    .steps = 25,
    .order = 2,
    .evals_per_step = 1,
    .run = run,
};
