/* ddim.c - the first-order solver (Song, Meng and Ermon, arXiv 2010.02502).
 *
 * The denoised image is constant within a step. In TrigFlow's coordinates the step is a rotation,
 * x_t = cos(s-t) x_s - sin(s-t) sigma_d F(x_s, s), which has no singularity, not even at s = pi/2,
 * and can be inverted. In EDM's sigma and in flow matching's u it is an Euler step. With churn it
 * is EDM's stochastic Euler step.
 */
#include <math.h>

#include "churn.h"

static const struct few_option options[] = {FEW_CHURN_OPTIONS, FEW_OPT_END};

static few_status run(few_ctx *ctx, struct few_sampling *s) {
  const struct few_churn_opts *o = s->opts;
  if (!(o->churn > 0)) return few_sampling_ddim(ctx, s);
  float *F = NULL;
  few_status st = FEW_OK;
  FEW_TRY(FEW_NEW(ctx, &F, s->rows * s->dims));
  for (int k = 0; k < s->steps; k++) {
    const double from = few__churn(s, o, k, F);
    FEW_GOTO(s->eval(s->user, s->x, from, s->t[k + 1], F));
    few_sampling_line(s->x, s, few_step_ddim(s->sigma_d, from, s->t[k + 1]), s->x, F);
  }
out:
  few__free(ctx, F);
  return st;
}

const struct few_sampler_def few__sampler_ddim = {
    .version = FEW_SAMPLER_DEF_VERSION,
    .name = "ddim",
    .source = "Song et al., arXiv 2010.02502; Lu and Song, arXiv 2410.11081, eq. 26",
    .help = "first order, one evaluation per step; deterministic unless churn is set",
    .schedule = "karras",
    .steps = 50,
    .order = 1,
    .evals_per_step = 1,
    .both_ways = true,
    .options = options,
    .options_size = sizeof(struct few_churn_opts),
    .run = run,
};
