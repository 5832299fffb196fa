/* cd - consistency distillation (Song et al., arXiv 2303.01469, algorithm 2):
 *
 *   x_n+1 = cos(t_n+1) x0 + sin(t_n+1) z,   n ~ U{0, .., N-2} on Karras' grid     section 3
 *   x^_n  = the teacher's step from t_n+1 to t_n                                       eq. 6
 *   L     = E d(f(x_n+1, t_n+1), f_target(x^_n, t_n))                     definition 1, eq. 7
 *   target <- mu target + (1 - mu) student                                             eq. 8
 *
 *   paper                here
 *   t_n (EDM's sigma)    sigma_d tan t_n; hop.t and hop.s are t_n+1 and t_n in radians
 *   x_{t_n+1}, x^_{t_n}  from.x, to.x
 *   Phi, ODE solver      step(), of `solver`
 *   f_theta, f_theta^-   few__discrete_f of FEW_STUDENT, FEW_TARGET
 *   d, lambda            metric; lambda = 1
 *   mu, N                target_decay, points
 *   n = 1 .. N-1         n = 0 .. N-2: points are counted from 0
 *
 * d is l2, l1 or pseudo-Huber; the paper's LPIPS needs a network for images. The solver is DDIM, or
 * EDM's Heun in sigma = sigma_d tan t on any path: an Euler step, which is DDIM's, corrected by the
 * noise at its end (few/ext/steps.h, few_step_heun). With a guided teacher the guidance scale is an
 * input of the student, as in scd.
 */
#include "base/rng.h"
#include "discrete.h"

struct cd_opts {
  struct few_guidance_opts guidance;
  struct few_grid_opts grid;
  struct few_distance_opts metric;
  int64_t points;
  enum { HEUN, DDIM } solver;
  double target_decay;
};

static const struct few_option options[] = {
    FEW_OPT_INT(struct cd_opts, points, "18", 2, 1000000, "N, the number of points of the grid"),
    FEW_OPT_CHOICE(struct cd_opts, solver, "heun", "heun|ddim", "solver of the teacher's step"),
    FEW_OPT_REAL(struct cd_opts, target_decay, "0.95", 0, 0.999999,
                 "mu, the decay of the average that is the target; 0: the target is the student "
                 "after the last step"),
    FEW_METRIC_OPTIONS(struct cd_opts, "l2", "0.00054"),
    FEW_GRID_OPTIONS(struct cd_opts),
    FEW_GUIDANCE_OPTIONS("1"),
    FEW_OPT_END};

static few_status check(few_ctx *ctx, const void *opts, const struct few_fit *fit) {
  FEW_UNUSED(fit);
  few__discrete_warn(ctx, "cd", "points", (double)((const struct cd_opts *)opts)->points,
                     FEW_NEAR_POINTS);
  return FEW_OK;
}

static double target_decay(const void *opts, const struct few_clock *at) {
  FEW_UNUSED(at);
  return ((const struct cd_opts *)opts)->target_decay;
}

/* A DDIM step from `at` down by `angle`. */
static few_node ddim(const struct few_loss *l, const struct few_trig_state *at, few_node F,
                     few_node angle) {
  few_graph *g = l->g;
  few_node turned = few_mul(g, few_loss_rows(l, few_sin(g, angle)), F);
  return few_sub(g, few_mul(g, few_loss_rows(l, few_cos(g, angle)), at->x),
                 few_scale(g, turned, l->spec->sigma_data));
}

static few_node noise(const struct few_loss *l, const struct few_trig_state *at, few_node F) {
  few_graph *g = l->g;
  return few_add(g, few_mul(g, at->sin, at->x),
                 few_scale(g, few_mul(g, at->cos, F), l->spec->sigma_data));
}

/* The teacher's step from `from` to the time of `to`. Replaces the state of `to`. */
static void step(struct few_loss *l, const struct cd_opts *o, const struct few_trig_state *from,
                 struct few_trig_state *to, few_node guidance) {
  few_graph *g = l->g;
  few_node angle = few_sub(g, from->t, to->t);
  few_node F = few_loss_teacher(l, from->x, from->t, guidance);
  to->x = ddim(l, from, F, angle);
  if (o->solver != HEUN) return;
  few_node next = few_loss_teacher(l, to->x, to->t, guidance);
  few_node change = few_sub(g, noise(l, to, next), noise(l, from, F));
  few_node w = few_div(g, few_loss_rows(l, few_sin(g, angle)), few_scale(g, from->cos, -2));
  to->x = few_add(g, to->x, few_mul(g, w, change));
}

static void build(struct few_loss *l, const void *opts) {
  const struct cd_opts *o = opts;
  few_node points = few_fill(l->g, (double)o->points, FEW_SCALAR);
  const struct few_hop hop = few__grid_hop(l, &o->grid, points, few__grid_uniform(l, points));
  const struct few_trig_state from = few_trig_state_at(l, l->x0, hop.t, FEW_RNG_NOISE);
  struct few_trig_state to = few_trig_state_at(l, l->x0, hop.s, FEW_RNG_NOISE);
  few_node guidance = few_loss_guidance_scale(l);
  step(l, o, &from, &to, guidance);
  to.x = few_stop(l->g, to.x);
  few_node target = few__discrete_f(l, FEW_TARGET, &to, guidance);
  few__discrete_add(l, &o->metric, &from, guidance, target, FEW_NONE);
}

const struct few_objective_def few__objective_cd = {
    .version = FEW_OBJECTIVE_DEF_VERSION,
    .name = "cd",
    .source = "arXiv 2303.01469",
    .help =
        "consistency distillation: match the student's own output one teacher step closer to the "
        "data",
    .options = options,
    .options_size = sizeof(struct cd_opts),
    .needs_teacher = true,
    .starts_as_teacher = true,
    .follows_flow = true,
    .augments = true,
    .target = FEW_TARGET_AVERAGE,
    .target_decay = target_decay,
    .sampler = "consistency",
    .guides = true,
    .check = check,
    .build = build,
};
