/* shortcut.c - jumps along the straight path by an average velocity: shortcut models (Frans et al.,
 * arXiv 2410.12557) and MeanFlow (Geng et al., arXiv 2505.13447).
 *
 * These networks predict the average U of flow matching's velocity eps - x0 over a step from u to
 * r, which are their inputs. With y_u = (1-u) x0 + u eps,
 *
 *   y_r = y_u - (u - r) U(y_u, u, r),   y_u = x_t/(cos t + sigma_d sin t).
 *
 * eval returns F with U = (cos t + sigma_d sin t) F + (sin(t)/sigma_d - cos t) x_t, the relation of
 * any velocity to F (process/predict.h), so the step is a DDIM step with F. The times are the grid
 * i/N (schedule flow). Shortcut models have learned only the steps 1, 1/2, 1/4, ..., so N must be a
 * power of two. MeanFlow models may have any N.
 */
#include "sampler.h"

const struct few_sampler_def few__sampler_shortcut = {
    .version = FEW_SAMPLER_DEF_VERSION,
    .name = "shortcut",
    .source = "Frans et al., arXiv 2410.12557; Geng et al., arXiv 2505.13447",
    .help = "for models of average velocities: jumps along the straight path, 1, 2, 4 ... steps",
    .schedule = "flow",
    .steps = 4,
    .order = 0,
    .evals_per_step = 1,
    .jumps = true,
    .run = few_sampling_ddim,
};
