/* sct - continuous-time consistency training, sCT (Lu and Song, arXiv 2410.11081, Algorithm 1
 * without a teacher). The loss is in scm.c; the velocity of the flow is replaced by that of the
 * row's own path,
 *
 *   dx_t/dt = cos(t) z - sin(t) x0,   which is d.v here.
 */
#include "scm.h"

struct sct_opts {
  struct few_scm_opts scm;
};

static const struct few_option options[] = {FEW_SCM_OPTIONS(struct sct_opts),
                                            FEW_SCM_JVP_OPTIONS(struct sct_opts), FEW_OPT_END};

static void schedule(double *scalar, const void *opts, const struct few_clock *at) {
  few__scm_schedule(scalar, &((const struct sct_opts *)opts)->scm, at);
}

static void build(struct few_loss *l, const void *opts) {
  const struct sct_opts *o = opts;
  struct few_trig_state d = few_trig_sample(l, o->scm.p_mean, o->scm.p_std);
  few__scm_build(l, &o->scm, &d, d.v, FEW_NONE);
}

const struct few_objective_def few__objective_sct = {
    .version = FEW_OBJECTIVE_DEF_VERSION,
    .name = "sct",
    .source = "arXiv 2410.11081",
    .help =
        "continuous-time consistency training, without a teacher; progress shows in to_teacher of "
        "the log (if the run starts from a teacher) or in evaluations, not in loss and mse",
    .options = options,
    .options_size = sizeof(struct sct_opts),
    .starts_as_teacher = true,
    .follows_flow = true,
    .augments = true,
    .sampler = "consistency",
    .n_scalars = 1,
    .warms_up = true,
    .schedule = schedule,
    .build = build,
};
