/* consistency.c - one to a few steps with a consistency model (Song et al., arXiv 2303.01469,
 * algorithm 1, on TrigFlow's circle).
 *
 *   x0 = f(x_t, t) = cos(t) x_t - sin(t) sigma_d F(x_t, t);   while times are left:
 *   x_t' = cos(t') x0 + sin(t') sigma_d eps,  eps fresh;   x0 = f(x_t', t').
 */
#include "diffusion/process/process.h"
#include "sampler.h"

static few_status run(few_ctx *ctx, struct few_sampling *s) {
  if (s->t[s->steps] > 0)
    return few__fail(ctx, FEW_E_INVALID,
                     "consistency sampling ends at t = 0, not at %g; leave out t_end",
                     s->t[s->steps]);
  float *F = NULL;
  few_status st = FEW_OK;
  FEW_TRY(FEW_NEW(ctx, &F, s->rows * s->dims));
  for (int k = 0; k < s->steps; k++) {
    if (k > 0) {
      struct few_mix state = few__process_trigflow.at(s->sigma_d, s->t[k]);
      few_sampling_noise(F, s, k);
      few_sampling_line(s->x, s, (struct few_line){state.x0, state.eps}, s->x, F);
    }
    FEW_GOTO(s->eval(s->user, s->x, s->t[k], 0, F));
    few_sampling_line(s->x, s, few_step_denoise(s->sigma_d, s->t[k]), s->x, F);
  }
out:
  few__free(ctx, F);
  return st;
}

const struct few_sampler_def few__sampler_consistency = {
    .version = FEW_SAMPLER_DEF_VERSION,
    .name = "consistency",
    .source = "Song et al., arXiv 2303.01469",
    .help = "for consistency models: jump to the image; with more steps, add noise and jump again",
    .schedule = "middle",
    .steps = 2,
    .order = 0,
    .evals_per_step = 1,
    .fresh_noise = true,
    .run = run,
};
