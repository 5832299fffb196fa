/* segments.c - a consistency model of N segments (Heek, Hoogeboom and Salimans, arXiv 2403.06807).
 *
 * The network maps a state to the end of its segment of time, f(x_t, t; t_k) = cos(t - t_k) x_t -
 * sin(t - t_k) sigma_d F(x_t, t, t_k), which is a DDIM step. N of them lead to the image, without
 * fresh noise. Segments are equal in TrigFlow's t (schedule uniform), and N is that of the model's
 * training.
 */
#include "sampler.h"

const struct few_sampler_def few__sampler_segments = {
    .version = FEW_SAMPLER_DEF_VERSION,
    .name = "segments",
    .source = "Heek et al., arXiv 2403.06807",
    .help = "for consistency models of N segments: to the end of each, without fresh noise",
    .schedule = "uniform",
    .steps = 4,
    .order = 0,
    .evals_per_step = 1,
    .jumps = true,
    .run = few_sampling_ddim,
};
