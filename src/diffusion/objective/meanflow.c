/* meanflow - MeanFlow (Geng, Deng, Bai, Kolter and He, arXiv 2505.13447), without a teacher.
 *
 * The average velocity of the flow dy/du = v from u down to r <= u,
 *
 *   U(y_u, u, r) = 1/(u - r) integral of v from r to u,   y_r = y_u - (u - r) U,      eq. 3
 *
 * obeys the MeanFlow identity
 *
 *   U = v - (u - r) dU/du,   dU/du along the flow with r fixed.                       eq. 6
 *
 * Training makes its right side the target:
 *
 *   U_tgt = v - (u - r) dU/du,   v = eps - x0 of the row                              eq. 11
 *   dU/du by a JVP along (v, 1, 0) of (y, u, r)                                        eq. 8
 *   L = w |U - sg U_tgt|^2,   w = 1/sg(|U - U_tgt|^2 + c)^p                eq. 9, section 4.3
 *
 *   paper                 here
 *   t (1 is noise), r     u and r in these comments; at.t and at.end are their TrigFlow times
 *   z_t                   y_u = x_t/n(t)
 *   u(z_t, r, t)          U, few__flow_velocity of the network's F (flow.h)
 *   v_t                   v, from F_g: eps - x0 of the row, or the guided velocity
 *   du/dt                 dU, by derivative()
 *   t - r                 way
 *   (t, t - r) as inputs  d.t and d.t - at.end, in radians
 *   p, c of the weight    norm_p, norm_c
 *   omega, kappa          omega, kappa
 *   share of r != t       jumps
 *
 * In TrigFlow's terms, U = n F + m x_t (flow.h), which at r = u is flow matching's velocity. The
 * flow of y is the flow of x, dx_t/dt = sigma_d F and du/dt = sigma_d/n^2. So the tangent of (x, t)
 * is n^2 (F_v, 1/sigma_d), where F_v is the F of v. logit(u) is ln(sigma_d tan t), so flow
 * matching's logit-normal times are TrigFlow's lognormal times.
 *
 * The weight w of a row depends on its residual, and so on the noise in its v. The minimum of the
 * weighted loss is therefore not at the mean of v, while the minimum of the squared error (p = 0)
 * is. With many pixels |U - U_tgt|^2 hardly varies between rows, and the difference is negligible.
 * For points use p = 0.
 *
 * Two times are sampled for each row. With `order = swap`, u is the larger and r the smaller. With
 * `order = min` (the paper's choice for CIFAR, with r_mean -4), u is the first time, and r is the
 * smaller of the two. With probability 1 - `jumps`, r = u instead.
 *
 * Guidance (section 4.2, eq. 19; with kappa: appendix B.1): the velocity
 * v_g = omega v + (1 - omega - kappa) U(r = u, no label) + kappa U(r = u, label), of guidance scale
 * omega/(1 - kappa), takes the place of v, except where the row's label was dropped.
 *
 * With `velocity = predicted`, dU/du is taken along the network's own U at r = u (Geng et al.,
 * arXiv 2512.02012), which has no noise. The residual is still U + (u - r) sg(dU/du) - v_g.
 */
#include "base/rng.h"
#include "flow.h"
#include "objective.h"

struct meanflow_opts {
  double p_mean, p_std, r_mean, r_std, jumps, to_image, norm_p, norm_c, omega, kappa;
  enum { SWAP, MIN } order;
  enum { SAMPLE, PREDICTED } velocity;
};

static const struct few_option options[] = {
    FEW_OPT_REAL(struct meanflow_opts, p_mean, "-0.4", -20, 20, "mean of ln(sigma_d tan t)"),
    FEW_OPT_REAL(struct meanflow_opts, p_std, "1", 0.01, 20,
                 "standard deviation of ln(sigma_d tan t)"),
    FEW_OPT_REAL(struct meanflow_opts, r_mean, "-0.4", -20, 20,
                 "second time: mean of ln(sigma_d tan t)"),
    FEW_OPT_REAL(struct meanflow_opts, r_std, "1", 0.01, 20,
                 "second time: standard deviation of ln(sigma_d tan t)"),
    FEW_OPT_CHOICE(
        struct meanflow_opts, order, "swap", "swap|min",
        "swap: a step goes from the larger of two times to the smaller; min: from the first time "
        "to the smaller of the two"),
    FEW_OPT_REAL(struct meanflow_opts, jumps, "0.25", 0, 1,
                 "probability that a row has two different times"),
    FEW_OPT_REAL(struct meanflow_opts, to_image, "0", 0, 1,
                 "probability that such a row's second time is 0, an image, and is not sampled"),
    FEW_OPT_REAL(struct meanflow_opts, norm_p, "1", 0, 2,
                 "p of the weight 1/(error^2 + c)^p; 0: squared error"),
    FEW_OPT_REAL(struct meanflow_opts, norm_c, "0.01", 1e-12, 1e6,
                 "c of the weight 1/(error^2 + c)^p"),
    FEW_OPT_REAL(struct meanflow_opts, omega, "1", 0, 100,
                 "share of eps - x0 in the guided velocity; 1 with kappa = 0: no guidance"),
    FEW_OPT_REAL(struct meanflow_opts, kappa, "0", 0, 0.99,
                 "share of the prediction with the label in the guided velocity"),
    FEW_OPT_CHOICE(struct meanflow_opts, velocity, "sample", "sample|predicted",
                   "velocity of the flow along which U is differentiated: sample: that of the "
                   "target (eps - x0 of the row, or guided); predicted: the network's own"),
    FEW_OPT_END};

static bool guided(const struct meanflow_opts *o) { return o->omega != 1 || o->kappa > 0; }

static few_status check(few_ctx *ctx, const void *opts, const struct few_fit *fit) {
  return few__flow_check(ctx, "meanflow", guided(opts), fit);
}

/* ---- times ---- */

struct step {
  few_node t, end; /* [rows] */
};

static few_node lognormal_time(const struct few_loss *l, uint32_t purpose, double mean,
                               double std) {
  few_graph *g = l->g;
  few_node tau = few_affine(g, few_loss_randn(l, purpose, FEW_SHAPE(l->rows)), std, mean);
  return few_atan(g, few_scale(g, few_exp(g, tau), 1 / l->spec->sigma_data));
}

static struct step sample_step(const struct few_loss *l, const struct meanflow_opts *o) {
  few_graph *g = l->g;
  few_node a = few_timestep_lognormal(l, o->p_mean, o->p_std);
  few_node b = lognormal_time(l, FEW_RNG_STEP_TIME, o->r_mean, o->r_std);
  few_node u = few_loss_randu(l, FEW_RNG_STEP_SIZE, FEW_SHAPE(l->rows));
  few_node jump = few_less(g, u, few_fill(g, o->jumps, FEW_SCALAR));
  few_node to_image = few_less(g, u, few_fill(g, o->jumps * o->to_image, FEW_SCALAR));
  few_node t = o->order == MIN ? a : few_max(g, a, b);
  few_node end = few_select(g, to_image, few_fill(g, 0, FEW_SHAPE(l->rows)), few_min(g, a, b));
  return (struct step){t, few_stop(g, few_select(g, jump, end, t))};
}

/* ---- the target ---- */

/* The F whose velocity is v_g. The shares in v_g sum to 1, so at one (x_t, t) its F is the sum of
 * the F of the three velocities, with the same shares. */
static few_node guided_F(struct few_loss *l, const struct meanflow_opts *o,
                         const struct few_trig_state *d, few_node here) {
  few_graph *g = l->g;
  few_node F = few_scale(g, d->v, 1 / l->spec->sigma_data);
  if (!guided(o)) return F;
  few_node none = few__flow_target_F(l, FEW_STUDENT, d->x, d->t, FEW_NONE, here);
  few_node mix = few_add(g, few_scale(g, F, o->omega), few_scale(g, none, 1 - o->omega - o->kappa));
  if (o->kappa > 0) {
    few_node labelled = few__flow_target_F(l, FEW_STUDENT, d->x, d->t, l->label, here);
    mix = few_add(g, mix, few_scale(g, labelled, o->kappa));
  }
  few_node has = few_sum(g, few_onehot(g, l->label, l->spec->classes), FEW_SHAPE(l->rows, 1));
  return few_select(g, few_broadcast(g, few__flow_rows(l, has, F), few_node_shape(g, F)), mix, F);
}

/* dU/du along the flow with the velocity of F_v. */
static few_node derivative(struct few_loss *l, const struct few_trig_state *d, few_node U,
                           few_node F_v) {
  few_graph *g = l->g;
  few_node nn = few_square(g, few__flow_n(l, d->t)), dU = FEW_NONE;
  few_node along[] = {few_mul(g, few__flow_rows(l, nn, F_v), F_v),
                      few_scale(g, nn, 1 / l->spec->sigma_data)};
  few_jvp(&dU, g, 1, &U, 2, (few_node[]){d->x, d->t}, along);
  return dU;
}

static few_node weighted(struct few_loss *l, const struct meanflow_opts *o, few_node residual) {
  few_graph *g = l->g;
  struct few_shape s = few_node_shape(g, residual);
  few_node q = few_loss_row_sum(l, few_square(g, residual));
  few_loss_log(l, "mse", few_scale(g, q, (double)l->rows / (double)few_shape_count(s)));
  few_node norm = few_stop(g, few_affine(g, q, 1, o->norm_c));
  norm = few_exp(g, few_scale(g, few_log(g, norm), -o->norm_p));
  return few_mean_all(g, few_mul(g, q, norm));
}

static void build(struct few_loss *l, const void *opts) {
  const struct meanflow_opts *o = opts;
  few_graph *g = l->g;
  const struct step at = sample_step(l, o);
  l->t = at.t;
  const struct few_trig_state d = few_trig_state_at(l, l->x0, at.t, FEW_RNG_NOISE);
  few_node here = few_fill(g, 0, FEW_SHAPE(l->rows));
  few_node F_g = few_stop(g, guided_F(l, o, &d, here));
  few_node F_v = F_g;
  if (o->velocity == PREDICTED)
    F_v = few_stop(g, few__flow_target_F(l, FEW_STUDENT, d.x, d.t, l->label, here));

  few_node F = few__flow_F(l, FEW_STUDENT, d.x, d.t, l->label, few_sub(g, d.t, at.end));
  few_node U = few__flow_velocity(l, d.x, d.t, F), dU = derivative(l, &d, U, F_v);
  few_node way = few_sub(g, few__flow_share(l, d.t), few__flow_share(l, at.end));
  few_node v = few__flow_velocity(l, d.x, d.t, F_g);
  few_node target = few_sub(g, v, few_mul(g, few__flow_rows(l, way, dU), dU));
  few_loss_add(l, "meanflow", weighted(l, o, few_sub(g, U, few_stop(g, target))), 1);
}

const struct few_objective_def few__objective_meanflow = {
    .version = FEW_OBJECTIVE_DEF_VERSION,
    .name = "meanflow",
    .source = "arXiv 2505.13447",
    .help = "average velocities over any step, from their derivative along the flow",
    .options = options,
    .options_size = sizeof(struct meanflow_opts),
    .starts_as_teacher = true,
    .follows_flow = true,
    .step_size = FEW_STEP_SIZE_ANGLE,
    .augments = true,
    .sampler = "shortcut",
    .check = check,
    .build = build,
};
