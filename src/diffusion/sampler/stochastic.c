/* stochastic.c - the stochastic N-step sampler of guided distillation (Meng et al., arXiv
 * 2210.03142).
 *
 * On the grid u = i/N, a deterministic step of 2/N down is followed by noise of 1/N back up.
 *
 *   x_k = DDIM(x_t, t -> k),   x_s = (cos s/cos k) x_k + noise,   t, s, k neighbours on the grid.
 *
 * Each evaluation advances by 1/N, so there are N. The last step is a deterministic step of 1/N.
 * The student must have learned steps of 2/N from each i/N.
 */
#include "sampler.h"

static few_status run(few_ctx *ctx, struct few_sampling *s) {
  float *F = NULL;
  few_status st = FEW_OK;
  FEW_TRY(FEW_NEW(ctx, &F, s->rows * s->dims));
  for (int k = 0; k < s->steps; k++) {
    bool back = k + 2 <= s->steps;
    double from = s->t[k], to = s->t[back ? k + 2 : k + 1];
    FEW_GOTO(s->eval(s->user, s->x, from, to, F));
    few_sampling_line(s->x, s, few_step_ddim(s->sigma_d, from, to), s->x, F);
    if (back) {
      few_sampling_noise(F, s, k + 1);
      few_sampling_line(s->x, s, few_step_renoise(s->sigma_d, to, s->t[k + 1]), s->x, F);
    }
  }
out:
  few__free(ctx, F);
  return st;
}

const struct few_sampler_def few__sampler_stochastic = {
    .version = FEW_SAMPLER_DEF_VERSION,
    .name = "stochastic",
    .source = "Meng et al., arXiv 2210.03142",
    .help = "for distilled students: two steps down the grid i/N, one back up by noise",
    .schedule = "cosine",
    .steps = 4,
    .order = 0,
    .evals_per_step = 1,
    .fresh_noise = true,
    .run = run,
};
