/* dpmpp2s.c - DPM-Solver++ (2S), second order within a single step (Lu et al., arXiv 2211.01095,
 * algorithm 1 with r = 1/2).
 *
 * A DDIM step goes to the middle m of the step in ln tan t. Then a step from the start uses the
 * denoised image D of the middle:  x_t = sin(t)/sin(s) x_s + sin(s-t)/sin(s) D(x_m, m). A step
 * needs two evaluations; the step to t = 0 has no middle and needs one.
 */
#include "sampler.h"

static few_status run(few_ctx *ctx, struct few_sampling *s) {
  float *scratch = NULL;
  few_status st = FEW_OK;
  int64_t n = s->rows * s->dims;
  FEW_TRY(FEW_NEW(ctx, &scratch, 2 * n));
  float *F = scratch, *x_m = scratch + n;
  for (int k = 0; k < s->steps; k++) {
    double from = s->t[k], to = s->t[k + 1], m = to > 0 ? few_step_middle(from, to) : 0;
    FEW_GOTO(s->eval(s->user, s->x, from, from, F));
    few_sampling_line(to > 0 ? x_m : s->x, s, few_step_ddim(s->sigma_d, from, m), s->x, F);
    if (to <= 0) break;
    FEW_GOTO(s->eval(s->user, x_m, m, m, F));
    few_sampling_line(F, s, few_step_denoise(s->sigma_d, m), x_m, F);
    few_sampling_line(s->x, s, few_step_dpmpp_2s(from, to), s->x, F);
  }
out:
  few__free(ctx, scratch);
  return st;
}

const struct few_sampler_def few__sampler_dpmpp2s = {
    .version = FEW_SAMPLER_DEF_VERSION,
    .name = "dpmpp2s",
    .source = "Lu et al., arXiv 2211.01095",
    .help = "second order, deterministic, two evaluations per step (DPM-Solver++ 2S)",
    .schedule = "logsnr",
    .steps = 18,
    .order = 2,
    .evals_per_step = 2,
    .run = run,
};
