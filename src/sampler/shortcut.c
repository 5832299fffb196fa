/* shortcut.c - jumps along the straight path by an average velocity: shortcut models (Frans et al.,
 * arXiv 2410.12557) and MeanFlow (Geng et al., arXiv 2505.13447).
 *
 * These networks are asked for a step, not for a field: the average of flow matching's velocity
 * eps - x0 over the way from u to r, given both. With y_u = (1-u) x0 + u eps,
 *
 *   y_r = y_u - (u - r) v(y_u, u, r),   y_u = x_t/(cos t + sigma_d sin t)
 *
 * so what eval gives as F is v here, and `to` is r in TrigFlow's t. Shortcut models know the steps
 * 1, 1/2, 1/4 ...: on the grid i/N (schedule flow) N is a power of two. Times of one's own are
 * free.
 */
#include "sampler.h"

static few_status run(few_ctx *ctx, struct few_sampling *s) {
  float *v = NULL;
  few_status st = FEW_OK;
  if (!s->own_times && s->steps & (s->steps - 1))
    return few__fail(ctx, FEW_E_INVALID,
                     "%d steps of shortcut: give 1, 2, 4, 8 ..., the steps such models know",
                     s->steps);
  FEW_TRY(FEW_NEW(ctx, &v, s->rows * s->dims));
  for (int k = 0; k < s->steps; k++) {
    FEW_GOTO(s->eval(s->user, s->x, s->t[k], s->t[k + 1], v));
    few__sampling_line(s, few__step_flow(s->sigma_d, s->t[k], s->t[k + 1]), s->x, v, s->x);
  }
out:
  few__free(ctx, v);
  return st;
}

const struct few_sampler few__sampler_shortcut = {
    .name = "shortcut",
    .source = "Frans et al., arXiv 2410.12557; Geng et al., arXiv 2505.13447",
    .help = "for models of average velocities: jumps along the straight path, 1, 2, 4 ... steps",
    .schedule = FEW_SCHEDULE_FLOW,
    .steps = 4,
    .order = 0,
    .evals_per_step = 1,
    .average = true,
    .run = run,
};
