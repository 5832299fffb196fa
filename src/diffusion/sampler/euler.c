/* euler.c - Euler's method in TrigFlow's own time, x_t = x_s - (s-t) sigma_d F(x_s, s).
 *
 * It is DDIM's step with 1 and s-t in place of the cosine and sine of s-t. An Euler step in EDM's
 * sigma or in flow matching's u is exactly DDIM's; for those, use ddim.
 */
#include "sampler.h"

static few_status run(few_ctx *ctx, struct few_sampling *s) {
  float *F = NULL;
  few_status st = FEW_OK;
  FEW_TRY(FEW_NEW(ctx, &F, s->rows * s->dims));
  for (int k = 0; k < s->steps; k++) {
    FEW_GOTO(s->eval(s->user, s->x, s->t[k], s->t[k], F));
    few_sampling_line(s->x, s, few_step_euler(s->sigma_d, s->t[k], s->t[k + 1]), s->x, F);
  }
out:
  few__free(ctx, F);
  return st;
}

const struct few_sampler_def few__sampler_euler = {
    .version = FEW_SAMPLER_DEF_VERSION,
    .name = "euler",
    .source = "Lu and Song, arXiv 2410.11081, section 3",
    .help = "first order in TrigFlow's t; Euler in EDM's sigma or flow matching's u is ddim",
    .schedule = "uniform",
    .steps = 50,
    .order = 1,
    .evals_per_step = 1,
    .both_ways = true,
    .run = run,
};
