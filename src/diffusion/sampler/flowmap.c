/* flowmap.c - any number of steps with a flow map, a network that maps a state at t to a state at
 * any earlier time: CTM (Kim et al., arXiv 2310.02279), Align Your Flow (Sabour et al., arXiv
 * 2506.14603).
 *
 * A step from t to s with gamma = 0 is the map, a DDIM step with the network's F. Otherwise the map
 * goes further, to s' < s, and noise leads back up to s (gamma-sampling):
 *
 *   tan s' = sqrt(1 - gamma^2) tan s,   x_s = (cos s/cos s') x_s' + noise   (few_step_renoise).
 *
 * In EDM's sigma = sigma_d tan t, the state x/cos t has noise of deviation sigma_s' after the map
 * and receives noise of deviation gamma sigma_s. Their variances add up to sigma_s^2, so an exact
 * map gives the exact distribution at s for every gamma. gamma = 1 maps to the image and adds
 * entirely fresh noise, which is consistency sampling (consistency.c). The last step adds none.
 *
 * Errors of earlier steps are carried along with gamma = 0 and forgotten with gamma = 1. A single
 * long jump, on the other hand, is less exact than a short one.
 */
#include <math.h>

#include "sampler.h"

struct flowmap_opts {
  double gamma;
};

static const struct few_option options[] = {
    FEW_OPT_REAL(struct flowmap_opts, gamma, "0", 0, 1,
                 "share of fresh noise at each step but the last: 0: none, deterministic; 1: all, "
                 "as consistency sampling"),
    FEW_OPT_END};

static few_status run(few_ctx *ctx, struct few_sampling *s) {
  const struct flowmap_opts *o = s->opts;
  if (!(o->gamma > 0)) return few_sampling_ddim(ctx, s);
  const double kept = sqrt((1 - o->gamma) * (1 + o->gamma));
  float *F = NULL;
  few_status st = FEW_OK;
  FEW_TRY(FEW_NEW(ctx, &F, s->rows * s->dims));
  for (int k = 0; k < s->steps; k++) {
    const double end = s->t[k + 1];
    const double below = k + 1 < s->steps ? atan(kept * tan(end)) : end;
    FEW_GOTO(s->eval(s->user, s->x, s->t[k], below, F));
    few_sampling_line(s->x, s, few_step_ddim(s->sigma_d, s->t[k], below), s->x, F);
    if (k + 1 == s->steps) break;
    few_sampling_noise(F, s, k + 1);
    few_sampling_line(s->x, s, few_step_renoise(s->sigma_d, below, end), s->x, F);
  }
out:
  few__free(ctx, F);
  return st;
}

const struct few_sampler_def few__sampler_flowmap = {
    .version = FEW_SAMPLER_DEF_VERSION,
    .name = "flowmap",
    .source = "Kim et al., arXiv 2310.02279; Sabour et al., arXiv 2506.14603",
    .help = "for flow maps: jumps in any number of steps, with fresh noise if gamma is set",
    .schedule = "flow",
    .steps = 4,
    .order = 0,
    .evals_per_step = 1,
    .jumps = true,
    .options = options,
    .options_size = sizeof(struct flowmap_opts),
    .run = run,
};
