/* ddim.c - the first-order solver (Song, Meng and Ermon, arXiv 2010.02502).
 *
 * Each step holds the denoised image fixed: on TrigFlow's circle it is a rotation,
 * x_t = cos(s-t) x_s - sin(s-t) sigma_d F(x_s, s), with no singularity even at s = pi/2.
 */
#include "sampler.h"

static few_status run(few_ctx *ctx, struct few_sampling *s) {
  float *F = NULL;
  few_status st = FEW_OK;
  FEW_TRY(FEW_NEW(ctx, &F, s->rows * s->dims));
  for (int k = 0; k < s->steps; k++) {
    FEW_GOTO(s->eval(s->user, s->x, s->t[k], F));
    few__sampling_line(s, few__step_ddim(s->sigma_d, s->t[k], s->t[k + 1]), s->x, F, s->x);
  }
out:
  few__free(ctx, F);
  return st;
}

const struct few_sampler few__sampler_ddim = {
    .name = "ddim",
    .source = "Song et al., arXiv 2010.02502; Lu and Song, arXiv 2410.11081, eq. 26",
    .help = "first order, deterministic, one evaluation a step",
    .schedule = FEW_SCHEDULE_KARRAS,
    .order = 1,
    .evals_per_step = 1,
    .run = run,
};
