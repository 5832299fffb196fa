/* flowmap - a network that maps a state at t to the state at any time s <= t on the same path of
 * the flow (flow maps, consistency trajectory models):
 *
 *   X(x_t, t, s) = cos(t - s) x_t - sin(t - s) sigma_d F(x_t/sigma_d, t, t - s).
 *
 * With s = 0 it is a consistency model, and F at s = t is the velocity of the flow over sigma_d.
 * X(x_t, t, t) = x_t for every F.
 *
 * form = eulerian: the map does not change along the flow while s is fixed,
 *
 *   dX/dt = 0,   dx_t/dt = sigma_d F_teacher(x_t/sigma_d, t).
 *
 * This is sCM's loss (scm.c) with t - s in place of t, and scd_segments.c is the case in which s
 * is the end of t's segment. It is Eulerian map distillation of Align Your Flow (Sabour, Fidler and
 * Kreis, arXiv 2506.14603, AYF-EMD) on TrigFlow's path.
 *
 *   paper                      here
 *   f_theta(x_t, t, s)         X
 *   F_theta                    F, but on TrigFlow's path
 *   v_phi                      sigma_d F of the teacher, guided
 *   r (tangent warm-up)        scalar[0], tangent_warmup; at most tangent_most (0.99 there)
 *   tangent normalization      few__scm_add, tangent = normalize
 *
 * ---- The pair of times ----
 *
 *   end = uniform   t as in sCM (p_mean, p_std), s uniform in (0, t)
 *   end = swap      the larger and the smaller of two such times
 *   end = gap       in flow matching's time u, sigma_d tan t = u/(1 - u): the length of the step is
 *                   sigmoid(N(gap_mean, gap_std^2)), and its place is uniform in (0, 1)
 *
 * A share `diagonal` of the rows has s = t instead, and of the other rows a share `to_image` has
 * s = 0.
 */
#include "base/rng.h"
#include "flow.h"
#include "scm.h"

struct flowmap_opts {
  struct few_guidance_opts guidance;
  struct few_scm_opts scm;
  enum { EULERIAN } form;
  double tangent_most;
  enum { UNIFORM, SWAP, GAP } end;
  double gap_mean, gap_std, diagonal, to_image;
};

static const struct few_option options[] = {
    FEW_OPT_CHOICE(struct flowmap_opts, form, "eulerian", "eulerian",
                   "equation of the map that is trained: eulerian: it does not change along the "
                   "flow"),
    FEW_SCM_OPTIONS(struct flowmap_opts),
    FEW_SCM_JVP_OPTIONS(struct flowmap_opts),
    FEW_OPT_REAL(struct flowmap_opts, tangent_most, "1", 0, 1,
                 "largest share of the part of the tangent with dF/dt, after the warm-up"),
    FEW_OPT_CHOICE(struct flowmap_opts, end, "uniform", "uniform|swap|gap",
                   "times t and s of a row: uniform: s between 0 and t; swap: two times of p_mean "
                   "and p_std, in order; gap: the step's length is logit-normal (gap_mean, "
                   "gap_std), its place uniform, in flow matching's time"),
    FEW_OPT_REAL(struct flowmap_opts, gap_mean, "-0.8", -20, 20,
                 "end = gap: mean of ln(d/(1 - d)), d the length of the step"),
    FEW_OPT_REAL(struct flowmap_opts, gap_std, "1", 0.01, 20,
                 "end = gap: standard deviation of ln(d/(1 - d))"),
    FEW_OPT_REAL(struct flowmap_opts, diagonal, "0", 0, 1,
                 "probability that a row has s = t, and so trains the velocity"),
    FEW_OPT_REAL(struct flowmap_opts, to_image, "0.25", 0, 1,
                 "probability that another row has s = 0, and so trains the map to the image"),
    FEW_GUIDANCE_OPTIONS("1"),
    FEW_OPT_END};

/* r of the warm-up, at most tangent_most. */
static void schedule(double *scalar, const void *opts, const struct few_clock *at) {
  const struct flowmap_opts *o = opts;
  few__scm_schedule(scalar, &o->scm, at);
  if (scalar[0] > o->tangent_most) scalar[0] = o->tangent_most;
}

/* ---- times ---- */

struct pair {
  few_node t, s; /* [rows] */
};

static struct pair gap_pair(const struct few_loss *l, const struct flowmap_opts *o, few_node u) {
  few_graph *g = l->g;
  few_node normal = few_loss_randn(l, FEW_RNG_TIME, FEW_SHAPE(l->rows));
  few_node d = few_sigmoid(g, few_affine(g, normal, o->gap_std, o->gap_mean));
  few_node low = few_mul(g, few_affine(g, d, -1, 1), u);
  return (struct pair){few__flow_time(l, few_add(g, low, d)), few__flow_time(l, low)};
}

static struct pair swapped_pair(const struct few_loss *l, const struct flowmap_opts *o) {
  few_graph *g = l->g;
  few_node normal = few_loss_randn(l, FEW_RNG_STEP_TIME, FEW_SHAPE(l->rows));
  few_node tau = few_affine(g, normal, o->scm.p_std, o->scm.p_mean);
  few_node a = few_timestep_lognormal(l, o->scm.p_mean, o->scm.p_std);
  few_node b = few_atan(g, few_scale(g, few_exp(g, tau), 1 / l->spec->sigma_data));
  return (struct pair){few_max(g, a, b), few_min(g, a, b)};
}

static struct pair sample_pair(const struct few_loss *l, const struct flowmap_opts *o) {
  few_graph *g = l->g;
  const double image = o->diagonal + (1 - o->diagonal) * o->to_image;
  const struct few_shape rows = FEW_SHAPE(l->rows);
  struct pair p;
  if (o->end == SWAP) {
    p = swapped_pair(l, o);
  } else {
    few_node u = few_loss_randu(l, FEW_RNG_STEP_TIME, rows);
    if (o->end == GAP) {
      p = gap_pair(l, o, u);
    } else {
      p.t = few_timestep_lognormal(l, o->scm.p_mean, o->scm.p_std);
      p.s = few_mul(g, u, p.t);
    }
  }
  few_node kind = few_loss_randu(l, FEW_RNG_STEP_SIZE, rows);
  few_node to_image = few_less(g, kind, few_fill(g, image, FEW_SCALAR));
  few_node diagonal = few_less(g, kind, few_fill(g, o->diagonal, FEW_SCALAR));
  p.s = few_select(g, to_image, few_fill(g, 0, rows), p.s);
  p.s = few_stop(g, few_select(g, diagonal, p.t, p.s));
  return p;
}

/* ---- the loss ---- */

static void build(struct few_loss *l, const void *opts) {
  const struct flowmap_opts *o = opts;
  const struct pair p = sample_pair(l, o);
  l->t = p.t;
  const struct few_trig_state d = few_trig_state_at(l, l->x0, p.t, FEW_RNG_NOISE);
  few_node guidance = few_loss_guidance_scale(l);
  few_node v = few_scale(l->g, few_loss_teacher(l, d.x, d.t, guidance), l->spec->sigma_data);
  few__scm_build_map(l, &o->scm, d, v, guidance, p.s);
}

const struct few_objective_def few__objective_flowmap = {
    .version = FEW_OBJECTIVE_DEF_VERSION,
    .name = "flowmap",
    .source = "arXiv 2506.14603",
    .help = "flow maps: from any time to any earlier one, for any number of steps",
    .options = options,
    .options_size = sizeof(struct flowmap_opts),
    .needs_teacher = true,
    .starts_as_teacher = true,
    .follows_flow = true,
    .step_size = FEW_STEP_SIZE_ANGLE,
    .sampler = "flowmap",
    .guides = true,
    .n_scalars = 1,
    .warms_up = true,
    .schedule = schedule,
    .build = build,
};
