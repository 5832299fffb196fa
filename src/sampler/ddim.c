/* ddim.c - the first-order solver (Song, Meng and Ermon, arXiv 2010.02502).
 *
 * Each step holds the denoised image fixed: on TrigFlow's circle it is a rotation,
 * x_t = cos(s-t) x_s - sin(s-t) sigma_d F(x_s, s), with no singularity even at s = pi/2, and down
 * as well as up. In EDM's sigma and in flow matching's u the same step is Euler's.
 */
#include "sampler.h"

const struct few_sampler few__sampler_ddim = {
    .name = "ddim",
    .source = "Song et al., arXiv 2010.02502; Lu and Song, arXiv 2410.11081, eq. 26",
    .help = "first order, deterministic, one evaluation a step",
    .schedule = FEW_SCHEDULE_KARRAS,
    .steps = 50,
    .order = 1,
    .evals_per_step = 1,
    .both_ways = true,
    .run = few__sampling_ddim,
};
