/* sampler.h - samplers, which turn noise into images: one file and one row in samplers.def, or
 * added to a context. few/ext/sampler.h has the definition. */
#ifndef FEW_SRC_SAMPLER_H
#define FEW_SRC_SAMPLER_H

#include "base/option.h"
#include "few/ext/sampler.h"
#include "olss.h"
#include "schedule.h"

#define FEW_SAMPLER(name) extern const struct few_sampler_def few__sampler_##name;
#include "samplers.def"
#undef FEW_SAMPLER

/* Built-in samplers, then those of the context, which may be NULL. */
int few__sampler_count(const few_ctx *ctx);
const struct few_sampler_def *few__sampler_at(const few_ctx *ctx, int i);
few_status few__sampler_find(few_ctx *ctx, const struct few_sampler_def **out, const char *name);
/* The sampler's own schedule, which FEW_SCHEDULE_DEFAULT selects. */
enum few_schedule few__sampler_schedule(const struct few_sampler_def *sampler);
/* Network evaluations for so many steps down to 0, of which the last needs only one. */
int few__sampler_evals(const struct few_sampler_def *sampler, int steps);

/* Computes the times, draws the starting noise and runs the sampler. Afterwards s->x has the
 * images, or the state at which an evaluation failed; s->t is NULL again. */
few_status few__sample(few_ctx *ctx, const struct few_sampler_def *sampler,
                       const struct few_times_opts *times, struct few_sampling *s);

/* Runs a sampler in reverse, with the same times in rising order: s->x has images at t_end before,
 * and their noise at the first time after. Networks that use the logarithm of time need t_end > 0,
 * such as arctan(sigma_min/sigma_d). Fails for a sampler that cannot be inverted. */
few_status few__encode(few_ctx *ctx, const struct few_sampler_def *sampler,
                       const struct few_times_opts *times, struct few_sampling *s);

#endif
