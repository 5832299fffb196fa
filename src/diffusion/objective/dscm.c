/* dscm - sCD in discrete time (Lu and Song, arXiv 2410.11081, appendix E). It shows how results
 * change if the tangent is a difference over a grid instead of a derivative. From t to t' < t on
 * the grid,
 *
 *   x_t'  = cos(t-t') x_t - sin(t-t') sigma_d F_pretrain(x_t/sigma_d, t)              (DDIM)
 *   Delta = -cos(t') (sigma_d F^-(x_t, t) - sigma_d F_pretrain)
 *           - r sin(t') (x_t + (sigma_d cos(t-t') F^-(x_t, t) - sigma_d F^-(x_t', t')) / sin(t-t'))
 *
 * which becomes df/dt as t' -> t. The loss is sCD's (scm.c) for g = cos(t) Delta.
 *
 *   paper             here
 *   t, t'             d.t, to.at.t: the ends of an interval of the grid (discrete.h)
 *   x_t, x_t'         d.x, to.at.x
 *   F_pretrain        the teacher; v = sigma_d F_pretrain
 *   Delta             delta
 *   r                 scalar[0]
 *   N                 points
 *
 * The grid is Karras' in sigma = sigma_d tan t, with its first point moved to t = 0. The interval
 * is sampled by iCT's lognormal distribution. On the paths trigflow and flow the grid has equal
 * steps in that coordinate; state, tangent and weight do not change.
 */
#include "base/rng.h"
#include "discrete.h"
#include "scm.h"

struct dscm_opts {
  struct few_guidance_opts guidance;
  struct few_scm_opts scm;
  struct few_grid_opts grid;
  int64_t points;
};

static const struct few_option options[] = {
    FEW_OPT_INT(struct dscm_opts, points, "1024", 2, 1000000,
                "N, the number of points of the grid"),
    FEW_SCM_OPTIONS(struct dscm_opts), FEW_GRID_OPTIONS(struct dscm_opts),
    FEW_GUIDANCE_OPTIONS("1"), FEW_OPT_END};

static few_status check(few_ctx *ctx, const void *opts, const struct few_fit *fit) {
  FEW_UNUSED(fit);
  few__discrete_warn(ctx, "dscm", "points", (double)((const struct dscm_opts *)opts)->points,
                     FEW_NEAR_POINTS);
  return FEW_OK;
}

static void schedule(double *scalar, const void *opts, const struct few_clock *at) {
  few__scm_schedule(scalar, &((const struct dscm_opts *)opts)->scm, at);
}

/* The state at the lower time of a hop, by the teacher's step, and the hop's angle. */
struct lower {
  struct few_trig_state at;
  few_node sin, cos; /* of t - t' */
};

static struct lower step(struct few_loss *l, const struct few_trig_state *d, few_node v,
                         few_node s) {
  few_graph *g = l->g;
  few_node angle = few_sub(g, d->t, s);
  struct lower to = {few_trig_state_at(l, l->x0, s, FEW_RNG_NOISE),
                     few_loss_rows(l, few_sin(g, angle)), few_loss_rows(l, few_cos(g, angle))};
  to.at.x = few_sub(g, few_mul(g, to.cos, d->x), few_mul(g, to.sin, v));
  return to;
}

static void build(struct few_loss *l, const void *opts) {
  const struct dscm_opts *o = opts;
  few_graph *g = l->g;
  const double sigma = l->spec->sigma_data;
  few_node points = few_fill(g, (double)o->points, FEW_SCALAR),
           guidance = few_loss_guidance_scale(l);
  few_node i = few__grid_lognormal(l, &o->grid, points, o->scm.p_mean, o->scm.p_std);
  const struct few_hop hop = few__grid_hop(l, &o->grid, points, i);
  few_node above_first = few_less(g, few_fill(g, 0, FEW_SCALAR), i);
  const struct few_trig_state d = few_trig_state_at(l, l->x0, hop.t, FEW_RNG_NOISE);
  l->t = d.t;
  few_node v = few_stop(g, few_scale(g, few_loss_teacher(l, d.x, d.t, guidance), sigma));
  const struct lower to = step(l, &d, v, few_mul(g, above_first, hop.s));

  few_node F = few_loss_F(l, FEW_STUDENT, d.x, d.t, l->label, guidance);
  few_node below_t = few_select(g, above_first, to.at.t, d.t); /* unused at t' = 0 */
  few_node below = few_loss_F(l, FEW_STUDENT, to.at.x, below_t, l->label, guidance);
  few_node slope = few_div(g, few_sub(g, few_mul(g, to.cos, F), below), to.sin);
  few_node first = few_mul(g, to.at.cos, few_sub(g, v, few_scale(g, F, sigma)));
  few_node second = few_mul(g, to.at.sin, few_add(g, d.x, few_scale(g, slope, sigma)));
  few_node delta = few_sub(g, first, few_mul(g, l->scalar[0], second));
  few__scm_add(l, &o->scm, &d, F, few_mul(g, few__scm_factor(l, &o->scm, &d), delta));
}

const struct few_objective_def few__objective_dscm = {
    .version = FEW_OBJECTIVE_DEF_VERSION,
    .name = "dscm",
    .source = "arXiv 2410.11081",
    .help = "sCD with a difference over a grid of times instead of the derivative",
    .options = options,
    .options_size = sizeof(struct dscm_opts),
    .needs_teacher = true,
    .starts_as_teacher = true,
    .follows_flow = true,
    .augments = true,
    .sampler = "consistency",
    .guides = true,
    .check = check,
    .n_scalars = 1,
    .warms_up = true,
    .schedule = schedule,
    .build = build,
};
