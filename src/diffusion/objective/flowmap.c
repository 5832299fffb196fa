/* flowmap - a network that maps a state at t to the state at any time s <= t on the same path of
 * the flow (flow maps, consistency trajectory models):
 *
 *   X(x_t, t, s) = cos(t - s) x_t - sin(t - s) sigma_d F(x_t/sigma_d, t, t - s).
 *
 * X(x_t, t, t) = x_t for every F. With s = 0 it is a consistency model. At s = t, dX/ds is
 * sigma_d F, so F is then the velocity of the flow over sigma_d. The velocity v(x, t) comes from a
 * teacher (`from = teacher`), or from the student itself at s = t (`from = self`), where rows with
 * s = t train it by flow matching: there v is dx_t/dt of the row, cos(t) z - sin(t) x0.
 *
 * Each form is an equation that X obeys for all t and s; sg is a stopped gradient.
 *
 *   eulerian     dX/dt = 0 along the flow, with s fixed: sCM's loss (scm.c) with t - s in place of
 *                t. scd_segments.c is the case in which s is the end of t's segment. From self, the
 *                velocity is that of the row, as in sCT, or the student's own (`velocity`), which
 *                then learns by flow matching at a time of its own in every row.
 *   lagrangian   | dX/ds - sg v(X, s) |^2: the map's end moves with the velocity there. The tangent
 *                is of s alone, and the gradient passes through it.
 *   terminal     lagrangian, and flow matching at a time of its own for every row
 *   semigroup    | F - sg F* |^2, where F* is the F of two steps, X(X(x_t, t, u), u, s), s < u < t
 *
 *   form, from              method
 *   eulerian, teacher       AYF-EMD of Align Your Flow (Sabour, Fidler and Kreis, arXiv 2506.14603)
 *   eulerian, self          MeanFlow's equation (meanflow.c) on TrigFlow's path, stabilised as sCM
 *   lagrangian, teacher     Lagrangian distillation (Boffi, Albergo and Vanden-Eijnden, arXiv
 *                           2406.07507; AYF-LMD)
 *   lagrangian, self        LSD: Lagrangian self-distillation (the same, arXiv 2505.18825)
 *   terminal, self          terminal velocity matching (Zhou et al., arXiv 2511.19797), with
 *                           target = average, target_decay = 0.99, end = gap
 *   semigroup, self         PSD: progressive self-distillation (arXiv 2505.18825)
 *
 *   Align Your Flow, LSD, TVM           here
 *   f_theta, X_{s,t}, f_theta(x, t, s)  X
 *   F_theta, v_{s,t}, F_theta           F, on TrigFlow's path
 *   v_phi; v_{t,t}; u_theta*            velocity()
 *   r, tangent normalization            scalar[0], which grows to 1 (0.99 there); few__scm_add
 *   eta, share of rows with s = t       diagonal
 *   gap, s of TVM                       end = gap, but with a uniform place
 *   EMA target                          target, target_decay
 *
 * TVM and LSD work with the states y = x/n of flow matching (flow.h). There dX/ds - v is the same
 * up to the factor n(s)/sigma_d, so only the weight of times differs.
 *
 * F* of two steps by the angles a = t - u and b = u - s, with F1 of the first and F2 of the second:
 *
 *   sin(a + b) F* = sin(a) cos(b) F1 + sin(b) F2 - sin(a) sin(b) x_t/sigma_d.
 *
 * Losses other than Eulerian are q/sg(q + norm_c)^norm_p of the mean square q of a row, times a
 * learned weight of t (adaptive), except beside a term of flow matching.
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
  enum { EULERIAN, LAGRANGIAN, TERMINAL, SEMIGROUP } form;
  enum { TEACHER, SELF } from;
  enum { SAMPLE, PREDICTED } velocity;
  enum { STUDENT, AVERAGE } target;
  enum { UNIFORM, SWAP, GAP } end;
  enum { ANYWHERE, HALF } middle;
  double target_decay, flow_weight, norm_p, norm_c;
  double gap_mean, gap_std, diagonal, to_image;
};

static const struct few_option options[] = {
    FEW_OPT_CHOICE(struct flowmap_opts, form, "eulerian", "eulerian|lagrangian|terminal|semigroup",
                   "equation of the map that is trained: eulerian: it does not change along the "
                   "flow; lagrangian: its end moves with the velocity there; terminal: the same, "
                   "and flow matching in every row; semigroup: a step is two shorter steps"),
    FEW_OPT_CHOICE(struct flowmap_opts, from, "teacher", "teacher|self",
                   "whose velocity: the teacher's, or the student's own, learned from the rows "
                   "with s = t"),
    FEW_OPT_CHOICE(struct flowmap_opts, velocity, "sample", "sample|predicted",
                   "eulerian from self: velocity of the flow: sample: that of the row; predicted: "
                   "the student's own, learned by flow matching in every row"),
    FEW_OPT_CHOICE(struct flowmap_opts, target, "student", "student|average",
                   "network of the student's own velocity and of two shorter steps: the student "
                   "or its average"),
    FEW_OPT_REAL(struct flowmap_opts, target_decay, "0.99", 0, 1, "decay of the average, per step"),
    FEW_SCM_OPTIONS(struct flowmap_opts),
    FEW_SCM_JVP_OPTIONS(struct flowmap_opts),
    FEW_OPT_REAL(struct flowmap_opts, norm_p, "0", 0, 2,
                 "all forms but eulerian: p of the weight 1/(error^2 + c)^p; 0: squared error"),
    FEW_OPT_REAL(struct flowmap_opts, norm_c, "0.001", 1e-12, 1e6,
                 "c of the weight 1/(error^2 + c)^p"),
    FEW_OPT_REAL(struct flowmap_opts, flow_weight, "1", 0, 1e6,
                 "weight of flow matching in every row (terminal; eulerian with velocity = "
                 "predicted)"),
    FEW_OPT_CHOICE(struct flowmap_opts, middle, "anywhere", "anywhere|half",
                   "semigroup: where the first of the two steps ends"),
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

static bool teacherless(const void *opts) {
  return ((const struct flowmap_opts *)opts)->from == SELF;
}

/* Does nothing but the rows with s = t tell the student what the flow is? */
static bool needs_diagonal(const struct flowmap_opts *o) {
  if (o->form == SEMIGROUP) return true;
  if (o->from == TEACHER || o->form == TERMINAL) return false;
  return o->form == LAGRANGIAN;
}

/* Does every row also train the velocity at a time of its own? With limited tangents rows on the
 * diagonal would not do: a velocity with the row's noise would not be averaged. */
static bool has_flow_term(const struct flowmap_opts *o) {
  return o->form == TERMINAL ||
         (o->form == EULERIAN && o->from == SELF && o->velocity == PREDICTED);
}

static few_status check(few_ctx *ctx, const void *opts, const struct few_fit *fit) {
  const struct flowmap_opts *o = opts;
  FEW_UNUSED(fit);
  if (needs_diagonal(o) && !(o->diagonal > 0))
    return few__fail(ctx, FEW_E_INVALID,
                     "flowmap: with this form only rows with s = t tell the student what the flow "
                     "is, and diagonal = 0 leaves none: give a share of rows, such as "
                     "diagonal = 0.5");
  if (o->form == TERMINAL && o->from == TEACHER)
    return few__fail(
        ctx, FEW_E_INVALID,
        "flowmap: form = terminal learns the velocity from the data: give from = self, "
        "or form = lagrangian for the teacher's velocity");
  return FEW_OK;
}

/* r of the warm-up, which only Eulerian tangents have. */
static void schedule(double *scalar, const void *opts, const struct few_clock *at) {
  const struct flowmap_opts *o = opts;
  scalar[0] = 1;
  if (o->form == EULERIAN) few__scm_schedule(scalar, &o->scm, at);
}

/* ---- times ---- */

struct pair {
  few_node t, s, diagonal; /* [rows] */
};

static struct pair gap_pair(const struct few_loss *l, const struct flowmap_opts *o, few_node u) {
  few_graph *g = l->g;
  few_node normal = few_loss_randn(l, FEW_RNG_TIME, FEW_SHAPE(l->rows));
  few_node d = few_sigmoid(g, few_affine(g, normal, o->gap_std, o->gap_mean));
  few_node low = few_mul(g, few_affine(g, d, -1, 1), u);
  return (struct pair){.t = few__flow_time(l, few_add(g, low, d)), .s = few__flow_time(l, low)};
}

static struct pair swapped_pair(const struct few_loss *l, const struct flowmap_opts *o) {
  few_graph *g = l->g;
  few_node normal = few_loss_randn(l, FEW_RNG_STEP_TIME, FEW_SHAPE(l->rows));
  few_node tau = few_affine(g, normal, o->scm.p_std, o->scm.p_mean);
  few_node a = few_timestep_lognormal(l, o->scm.p_mean, o->scm.p_std);
  few_node b = few_atan(g, few_scale(g, few_exp(g, tau), 1 / l->spec->sigma_data));
  return (struct pair){.t = few_max(g, a, b), .s = few_min(g, a, b)};
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
  p.diagonal = few_less(g, kind, few_fill(g, o->diagonal, FEW_SCALAR));
  p.s = few_select(g, to_image, few_fill(g, 0, rows), p.s);
  p.s = few_stop(g, few_select(g, p.diagonal, p.t, p.s));
  return p;
}

/* ---- velocities and maps ---- */

/* A row of the loss. All nodes are [rows, ...]. */
struct rows {
  struct few_trig_state d;
  few_node s, diagonal; /* [rows]; 1 where s = t */
  few_node guidance;    /* of the teacher; an input of the student if the spec says so */
};

/* F of a network of the student's kind, for a step of this size. `plain`: without dropout. */
static few_node F_of(struct few_loss *l, enum few_role who, const struct rows *r, few_node x,
                     few_node t, few_node step_size, bool plain) {
  struct few_net_input in =
      few_net_input_of(few_scale(l->g, x, 1 / l->spec->sigma_data), t, l->label);
  in.guidance = l->spec->guidance ? r->guidance : FEW_NONE;
  in.step_size = step_size;
  in.no_dropout = plain;
  return l->net(l, who, &in);
}

/* cos(a) x - sin(a) sigma_d F. */
static few_node jump(const struct few_loss *l, few_node x, few_node F, few_node a) {
  few_graph *g = l->g;
  few_node sin = few_scale(g, few_loss_rows(l, few_sin(g, a)), l->spec->sigma_data);
  return few_sub(g, few_mul(g, few_loss_rows(l, few_cos(g, a)), x), few_mul(g, sin, F));
}

static enum few_role target_of(const struct flowmap_opts *o) {
  return o->target == AVERAGE ? FEW_TARGET : FEW_STUDENT;
}

/* `a` in rows with s = t, `b` in the others. */
static few_node on_diagonal(const struct few_loss *l, const struct rows *r, few_node a,
                            few_node b) {
  few_node is = few_loss_rows(l, r->diagonal);
  return few_select(l->g, few_broadcast(l->g, is, few_node_shape(l->g, a)), a, b);
}

/* v(x, s)/sigma_d at a state x of time s: the teacher's, or the student's own; that of the row in
 * rows with s = t. No gradient. */
static few_node velocity(struct few_loss *l, const struct flowmap_opts *o, const struct rows *r,
                         few_node x, few_node s) {
  few_graph *g = l->g;
  if (o->from == TEACHER) return few_stop(g, few_loss_teacher(l, x, s, r->guidance));
  few_node here = few_fill(g, 0, FEW_SHAPE(l->rows));
  few_node own = F_of(l, target_of(o), r, x, s, here, true);
  few_node sample = few_scale(g, r->d.v, 1 / l->spec->sigma_data);
  return few_stop(g, o->diagonal > 0 ? on_diagonal(l, r, sample, own) : own);
}

/* ---- the losses ---- */

static void add(struct few_loss *l, const struct flowmap_opts *o, const char *name,
                few_node residual, few_node t, bool learned, double weight) {
  few_graph *g = l->g;
  few_node q = few_loss_square(l, residual);
  few_loss_log(l, !strcmp(name, "flowmap") ? "mse" : "flow_mse", q);
  if (o->norm_p > 0) {
    few_node norm = few_log(g, few_stop(g, few_affine(g, q, 1, o->norm_c)));
    q = few_mul(g, q, few_exp(g, few_scale(g, norm, -o->norm_p)));
  }
  few_loss_add(l, name, few_loss_mean(l, q, t, learned), weight);
}

/* Beside flow matching no weight is learned: the residual of the map has no noise, so its weight
 * would grow until the map outweighed the velocity from which it learns. */
static bool adaptive(const struct flowmap_opts *o) { return o->scm.adaptive && !has_flow_term(o); }

static void eulerian(struct few_loss *l, const struct flowmap_opts *o, const struct rows *r) {
  struct few_scm_opts scm = o->scm;
  few_node v = r->d.v;
  scm.adaptive = adaptive(o);
  if (o->from == TEACHER || o->velocity == PREDICTED)
    v = few_scale(l->g, velocity(l, o, r, r->d.x, r->d.t), l->spec->sigma_data);
  few__scm_build_map(l, &scm, r->d, v, r->guidance, r->s);
}

/* dX/ds/sigma_d - v(X, s)/sigma_d; X is a function of s by the step size and the angle. */
static void lagrangian(struct few_loss *l, const struct flowmap_opts *o, const struct rows *r) {
  few_graph *g = l->g;
  few_node step = few_sub(g, r->d.t, r->s), one = few_fill(g, 1, FEW_SHAPE(l->rows)), dX = FEW_NONE;
  few_node F = F_of(l, FEW_STUDENT, r, r->d.x, r->d.t, step, false);
  few_node X = jump(l, r->d.x, F, step);
  few_jvp(&dX, g, 1, &X, 1, &r->s, &one);
  few_node v = velocity(l, o, r, few_stop(g, X), r->s);
  few_node residual = few_sub(g, few_scale(g, dX, 1 / l->spec->sigma_data), v);
  add(l, o, "flowmap", residual, r->d.t, adaptive(o), 1);
}

/* Flow matching at a time of its own, with the row's image and noise. */
static void flow_matching(struct few_loss *l, const struct flowmap_opts *o, const struct rows *r) {
  few_graph *g = l->g;
  few_node tau = few_affine(g, few_loss_randn(l, FEW_RNG_STEP_OTHER, FEW_SHAPE(l->rows)),
                            o->scm.p_std, o->scm.p_mean);
  few_node t = few_atan(g, few_scale(g, few_exp(g, tau), 1 / l->spec->sigma_data));
  const struct few_trig_state d = few_trig_state_at(l, l->x0, t, FEW_RNG_NOISE);
  few_node F = F_of(l, FEW_STUDENT, r, d.x, t, few_fill(g, 0, FEW_SHAPE(l->rows)), false);
  few_node residual = few_sub(g, F, few_scale(g, d.v, 1 / l->spec->sigma_data));
  add(l, o, "flow", residual, t, false, o->flow_weight);
}

/* F* of two steps. On the diagonal it is 0 and not used: the divisor is not 0 there. */
static few_node two_steps(struct few_loss *l, const struct flowmap_opts *o, const struct rows *r,
                          few_node step) {
  few_graph *g = l->g;
  few_node share = o->middle == HALF ? few_fill(g, 0.5, FEW_SHAPE(l->rows))
                                     : few_loss_randu(l, FEW_RNG_STEP_OTHER, FEW_SHAPE(l->rows));
  few_node a = few_mul(g, share, step), b = few_sub(g, step, a), u = few_sub(g, r->d.t, a);
  few_node F1 = F_of(l, target_of(o), r, r->d.x, r->d.t, a, true);
  few_node F2 = F_of(l, target_of(o), r, jump(l, r->d.x, F1, a), u, b, true);
  few_node whole = few_max(g, few_sin(g, step), few_fill(g, 1e-20, FEW_SCALAR));
  few_node first = few_div(g, few_sin(g, a), whole), second = few_div(g, few_sin(g, b), whole);
  few_node of_x = few_scale(g, few_mul(g, first, few_sin(g, b)), 1 / l->spec->sigma_data);
  few_node sum = few_mul(g, few_loss_rows(l, few_mul(g, first, few_cos(g, b))), F1);
  sum = few_add(g, sum, few_mul(g, few_loss_rows(l, second), F2));
  return few_sub(g, sum, few_mul(g, few_loss_rows(l, of_x), r->d.x));
}

static void semigroup(struct few_loss *l, const struct flowmap_opts *o, const struct rows *r) {
  few_graph *g = l->g;
  few_node step = few_sub(g, r->d.t, r->s);
  few_node F = F_of(l, FEW_STUDENT, r, r->d.x, r->d.t, step, false);
  few_node v = o->from == TEACHER ? few_loss_teacher(l, r->d.x, r->d.t, r->guidance)
                                  : few_scale(g, r->d.v, 1 / l->spec->sigma_data);
  few_node target = on_diagonal(l, r, v, two_steps(l, o, r, step));
  add(l, o, "flowmap", few_sub(g, F, few_stop(g, target)), r->d.t, o->scm.adaptive, 1);
}

static void build(struct few_loss *l, const void *opts) {
  const struct flowmap_opts *o = opts;
  const struct pair p = sample_pair(l, o);
  l->t = p.t;
  const struct rows r = {.d = few_trig_state_at(l, l->x0, p.t, FEW_RNG_NOISE),
                         .s = p.s,
                         .diagonal = p.diagonal,
                         .guidance = o->from == TEACHER ? few_loss_guidance_scale(l) : FEW_NONE};
  if (o->form == EULERIAN)
    eulerian(l, o, &r);
  else if (o->form == SEMIGROUP)
    semigroup(l, o, &r);
  else
    lagrangian(l, o, &r);
  if (has_flow_term(o)) flow_matching(l, o, &r);
}

static double target_decay(const void *opts, const struct few_clock *at) {
  FEW_UNUSED(at);
  return ((const struct flowmap_opts *)opts)->target_decay;
}

const struct few_objective_def few__objective_flowmap = {
    .version = FEW_OBJECTIVE_DEF_VERSION,
    .name = "flowmap",
    .source = "arXiv 2506.14603, 2505.18825, 2511.19797",
    .help = "flow maps: from any time to any earlier one, for any number of steps",
    .options = options,
    .options_size = sizeof(struct flowmap_opts),
    .needs_teacher = true,
    .teacherless = teacherless,
    .starts_as_teacher = true,
    .follows_flow = true,
    .step_size = FEW_STEP_SIZE_ANGLE,
    .target = FEW_TARGET_AVERAGE,
    .target_decay = target_decay,
    .sampler = "flowmap",
    .check = check,
    .guides = true,
    .n_scalars = 1,
    .warms_up = true,
    .schedule = schedule,
    .build = build,
};
