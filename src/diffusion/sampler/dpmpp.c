/* dpmpp.c - DPM-Solver++ (2M), second order with one evaluation per step (Lu et al., arXiv
 * 2211.01095; on TrigFlow's circle: arXiv 2410.11081, eq. 28).
 *
 * In a DDIM step the denoised image D is constant. Here it is extrapolated linearly in ln tan t
 * from the previous step. The first step and the step to t = 0 are DDIM's.
 */
#include "multistep.h"

static few_status run(few_ctx *ctx, struct few_sampling *s) {
  return few__multistep(ctx, s, &(struct few_multistep){few_step_denoise, few_step_dpmpp_2m});
}

const struct few_sampler_def few__sampler_dpmpp = {
    .version = FEW_SAMPLER_DEF_VERSION,
    .name = "dpmpp",
    .source = "Lu et al., arXiv 2211.01095; Lu and Song, arXiv 2410.11081, eq. 28",
    .help = "second order, deterministic, one evaluation per step (DPM-Solver++ 2M)",
    .schedule = "karras",
    .steps = 25,
    .order = 2,
    .evals_per_step = 1,
    .run = run,
};
