/* dpm2.c - DPM-Solver-2, second order with one evaluation per step (Lu et al., arXiv 2206.00927, as
 * a multistep method; on TrigFlow's circle: arXiv 2410.11081, eq. 27).
 *
 * Like dpmpp.c, but the noise e = sin(t) x + cos(t) sigma_d F is extrapolated linearly in ln tan t,
 * not the denoised image. The first step and the step to t = 0 are DDIM's.
 */
#include "multistep.h"

static few_status run(few_ctx *ctx, struct few_sampling *s) {
  return few__multistep(ctx, s, &(struct few_multistep){few_step_noise, few_step_dpm_2m});
}

const struct few_sampler_def few__sampler_dpm2 = {
    .version = FEW_SAMPLER_DEF_VERSION,
    .name = "dpm2",
    .source = "Lu et al., arXiv 2206.00927; Lu and Song, arXiv 2410.11081, eq. 27",
    .help = "second order in the noise, deterministic, one evaluation per step (DPM-Solver-2)",
    .schedule = "logsnr",
    .steps = 25,
    .order = 2,
    .evals_per_step = 1,
    .run = run,
};
