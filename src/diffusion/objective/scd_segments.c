/* scd-segments - sCD whose student maps a state to the end of a segment of time, not to the image:
 * multistep consistency models (Heek, Hoogeboom and Salimans, arXiv 2403.06807) in continuous time
 * (multi-step sCD of Lu and Song, arXiv 2410.11081, table 2).
 *
 * [0, t_max], t_max = arctan(80/sigma_d), is divided into `segments` equal parts with ends t_k. A
 * state at t in (t_k, t_{k+1}] is mapped to t_k by
 *
 *   f(x_t, t; t_k) = cos(t - t_k) x_t - sin(t - t_k) sigma_d F(x_t/sigma_d, t, t - t_k).
 *
 * Its derivative along the flow is that of sCM's f with t - t_k in place of t everywhere but in the
 * network's own input. So this is sCM's loss (scm.c) with cos and sin of that angle.
 *
 *   paper                  here
 *   number of segments     segments
 *   t_k                    ends(t)
 *   t - t_k                in.step_size, an input of the network
 *
 * `segments` steps without fresh noise make an image. Each is shorter than sCD's step and therefore
 * easier to learn. With one segment this is sCD.
 */
#include "diffusion/process/process.h"
#include "scm.h"

struct scd_segments_opts {
  struct few_guidance_opts guidance;
  struct few_scm_opts scm;
  int64_t segments;
};

static const struct few_option options[] = {
    FEW_SCM_OPTIONS(struct scd_segments_opts), FEW_SCM_JVP_OPTIONS(struct scd_segments_opts),
    FEW_OPT_INT(struct scd_segments_opts, segments, "4", 1, 64, "steps of the student"),
    FEW_GUIDANCE_OPTIONS("1"), FEW_OPT_END};

static void schedule(double *scalar, const void *opts, const struct few_clock *at) {
  few__scm_schedule(scalar, &((const struct scd_segments_opts *)opts)->scm, at);
}

/* The end t_k of each row's segment. Times above t_max belong to the last segment. */
static few_node ends(const struct few_loss *l, int64_t segments, few_node t) {
  few_graph *g = l->g;
  const double width = few__t_max(l->spec->sigma_data) / (double)segments;
  few_node end = few_fill(g, 0, FEW_SHAPE(l->rows));
  for (int64_t k = 1; k < segments; k++) {
    few_node past = few_less(g, few_fill(g, width * (double)k, FEW_SCALAR), t);
    end = few_add(g, end, few_scale(g, past, width));
  }
  return end;
}

static void build(struct few_loss *l, const void *opts) {
  const struct scd_segments_opts *o = opts;
  few_graph *g = l->g;
  struct few_trig_state d = few_trig_sample(l, o->scm.p_mean, o->scm.p_std);
  few_node s = few_loss_guidance_scale(l);
  few_node v = few_scale(g, few_loss_teacher(l, d.x, d.t, s), l->spec->sigma_data);
  few__scm_build_map(l, &o->scm, d, v, s, ends(l, o->segments, d.t));
}

static int64_t max_steps(const void *opts) {
  return ((const struct scd_segments_opts *)opts)->segments;
}

const struct few_objective_def few__objective_scd_segments = {
    .version = FEW_OBJECTIVE_DEF_VERSION,
    .name = "scd-segments",
    .source = "arXiv 2403.06807, 2410.11081",
    .help = "sCD in several steps, each to the end of its segment of time",
    .options = options,
    .options_size = sizeof(struct scd_segments_opts),
    .needs_teacher = true,
    .starts_as_teacher = true,
    .follows_flow = true,
    .step_size = FEW_STEP_SIZE_SEGMENT,
    .max_steps = max_steps,
    .augments = true,
    .sampler = "segments",
    .guides = true,
    .n_scalars = 1,
    .warms_up = true,
    .schedule = schedule,
    .build = build,
};
