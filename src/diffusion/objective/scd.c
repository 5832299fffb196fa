/* scd - continuous-time consistency distillation, sCD (Lu and Song, arXiv 2410.11081, Algorithm 1
 * with a teacher). The loss is in scm.c. This file adds the velocity of the flow:
 *
 *   dx_t/dt = sigma_d F_s(x_t/sigma_d, t),
 *   F_s     = F_pretrain(no label) + s (F_pretrain(label) - F_pretrain(no label)).
 *
 *   paper                    here
 *   F_pretrain               the teacher: few_loss_teacher, with guidance
 *   s ~ U[1, 2] (guidance)   few_loss_guidance_scale, uniform in guidance_min .. guidance_max
 *
 * s is an input of the student, so one student can be sampled with every guidance scale of the
 * range.
 */
#include "scm.h"

struct scd_opts {
  struct few_guidance_opts guidance;
  struct few_scm_opts scm;
};

static const struct few_option options[] = {FEW_SCM_OPTIONS(struct scd_opts),
                                            FEW_SCM_JVP_OPTIONS(struct scd_opts),
                                            FEW_GUIDANCE_OPTIONS("1"), FEW_OPT_END};

static void schedule(double *scalar, const void *opts, const struct few_clock *at) {
  few__scm_schedule(scalar, &((const struct scd_opts *)opts)->scm, at);
}

static void build(struct few_loss *l, const void *opts) {
  const struct scd_opts *o = opts;
  struct few_trig_state d = few_trig_sample(l, o->scm.p_mean, o->scm.p_std);
  few_node s = few_loss_guidance_scale(l);
  few_node v = few_scale(l->g, few_loss_teacher(l, d.x, d.t, s), l->spec->sigma_data);
  few__scm_build(l, &o->scm, &d, v, s);
}

const struct few_objective_def few__objective_scd = {
    .version = FEW_OBJECTIVE_DEF_VERSION,
    .name = "scd",
    .source = "arXiv 2410.11081",
    .help =
        "continuous-time consistency distillation of a diffusion teacher; progress shows in "
        "to_teacher of the log, not in loss and mse",
    .options = options,
    .options_size = sizeof(struct scd_opts),
    .needs_teacher = true,
    .starts_as_teacher = true,
    .follows_flow = true,
    .augments = true,
    .sampler = "consistency",
    .guides = true,
    .n_scalars = 1,
    .warms_up = true,
    .schedule = schedule,
    .build = build,
};
