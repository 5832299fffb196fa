/* shortcut - shortcut models (Frans, Hafner, Levine and Abbeel, arXiv 2410.12557): one network for
 * any power-of-two number of steps, trained without a teacher.
 *
 * s(y_u, u, d) is the average velocity of the straight path y_u = (1 - u) x0 + u eps over the next
 * step of size d, y_{u-d} = y_u - d s(y_u, u, d). Here u falls from 1, noise, to 0, the image. A
 * batch has rows that train the velocity by flow matching, and rows that train a long step to equal
 * two half steps:
 *
 *   flow         | s(y_u, u, 0) - (eps - x0) |^2
 *   consistency  | s(y_u, u, 2d) - sg[ s(y_u, u, d) + s(y', u - d, d) ] / 2 |^2,
 *                y' = y_u - d s(y_u, u, d),   both from averaged weights (decay 0.999)
 *
 *   paper                        here
 *   t (1 is data)                1 - u
 *   x_0 (noise), x_1 (data)      eps, x0
 *   x_t                          y_u = x_t/n(t) (flow.h)
 *   s(x_t, t, d)                 -s, few__flow_velocity of F, since time runs the other way
 *   d                            2^-k; k = log2(1/d) is the network's input, step_size
 *   128, the number of steps     steps_max
 *   k, share of consistency      bootstrap
 *   s_target                     two_half_steps
 *   EMA target                   FEW_TARGET, target_decay
 *
 * d is one of 1, 1/2 .. 1/steps_max, and u is a multiple of d. The network's input for d = 0 is
 * that of the smallest step, and k is a whole number, both as in the paper's code.
 *
 * The first rows of each shard, a share `bootstrap`, are the consistency rows (a quarter in the
 * paper, an eighth in its code); each row has its own step and time. Both terms are means over
 * their own rows, weighted by their share, so with balance = fixed the loss is the mean over the
 * whole batch.
 *
 * Only targets made of two smallest steps are guided, s_none + w (s_label - s_none). Longer steps
 * learn guidance from these, so sampling uses none. The trainer also drops labels of consistency
 * rows, so that steps without a label are learned; the paper's code does not.
 */
#include <math.h>

#include "base/rng.h"
#include "flow.h"

struct shortcut_opts {
  int64_t steps_max;
  double bootstrap, target_decay, target_clip, guidance;
  enum { AVERAGE, STUDENT } target;
};

static const struct few_option options[] = {
    FEW_OPT_INT(struct shortcut_opts, steps_max, "128", 2, 4096,
                "most steps, a power of two; the smallest step is 1/steps_max"),
    FEW_OPT_REAL(struct shortcut_opts, bootstrap, "0.25", 0, 1,
                 "share of the rows that learn from two half steps"),
    FEW_OPT_CHOICE(struct shortcut_opts, target, "average", "average|student",
                   "network that makes the half steps: average: the averaged student; student: the "
                   "student itself"),
    FEW_OPT_REAL(struct shortcut_opts, target_decay, "0.999", 0, 1,
                 "decay of the averaged student, per step"),
    FEW_OPT_REAL(struct shortcut_opts, target_clip, "4", 0, 1e6,
                 "limit of states between half steps, and of targets; 0: none"),
    FEW_OPT_REAL(
        struct shortcut_opts, guidance, "1", 0, 100,
        "guidance scale of the smallest step, used in the targets of longer steps; 1: none"),
    FEW_OPT_END};

enum { MAX_LEVELS = 12 }; /* log2 of the most steps */

static int levels(const struct shortcut_opts *o) {
  int n = 0;
  while (((int64_t)1 << n) < o->steps_max) n++;
  return n;
}

static int64_t bootstrap_rows(const struct shortcut_opts *o, int64_t rows) {
  return (int64_t)floor(o->bootstrap * (double)rows + 0.5);
}

static few_status check(few_ctx *ctx, const void *opts, const struct few_fit *fit) {
  const struct shortcut_opts *o = opts;
  const int64_t rows = fit->batch / fit->shards, first = bootstrap_rows(o, rows);
  if (o->steps_max & (o->steps_max - 1))
    return few__fail(ctx, FEW_E_INVALID,
                     "shortcut: steps_max = %lld is not a power of two: give %lld or %lld",
                     (long long)o->steps_max, 1LL << (levels(o) - 1), 1LL << levels(o));
  if (first < 1 || first >= rows)
    return few__fail(
        ctx, FEW_E_INVALID,
        "shortcut: bootstrap = %g of a shard's %lld rows is %lld rows, but a shard needs "
        "both kinds of rows: give fewer shards, a larger batch, or another share",
        o->bootstrap, (long long)rows, (long long)first);
  return few__flow_check(ctx, "shortcut", o->guidance != 1, fit);
}

/* ---- the size and the start of a step ---- */

struct sampled {
  few_node k; /* [rows] the step size is 2^-k */
  few_node u; /* [rows] start of the step, in (0, 1], a multiple of its size */
};

/* past[row, j] is 1 if the row's k is at least j. For consistency rows that has the probability
 * 1 - j/levels, so k is uniform; for rows of flow matching it is always 1. It also masks the random
 * binary digits of 1 - u, which has k of them, so
 *   k = sum past,   1 - u = sum past digit 2^-j,   j = 1 .. levels. */
static struct sampled sample_steps(const struct few_loss *l, int n, int64_t first) {
  few_graph *g = l->g;
  const int64_t R = l->rows;
  double place[MAX_LEVELS], chance[2][MAX_LEVELS];
  for (int j = 0; j < n; j++) {
    place[j] = ldexp(1, -(j + 1));
    chance[0][j] = j + 1 < n ? (double)(j + 1) / n : 2; /* two smallest steps make a target */
    chance[1][j] = -1;
  }
  few_node of[2];
  for (int i = 0; i < 2; i++)
    of[i] = few_broadcast(g, few_const(g, FEW_SHAPE(1, n), chance[i]),
                          FEW_SHAPE(i ? R - first : first, n));
  few_node level = few_loss_randu(l, FEW_RNG_STEP_SIZE, FEW_SHAPE(R, 1));
  few_node past = few_less(g, few_concat(g, 0, 2, of), level);
  few_node digit = few_less(g, few_loss_randu(l, FEW_RNG_STEP_TIME, FEW_SHAPE(R, n)),
                            few_fill(g, 0.5, FEW_SCALAR));
  few_node back = few_mul(g, few_mul(g, past, digit), few_const(g, FEW_SHAPE(1, n), place));
  few_node k = few_reshape(g, few_sum(g, past, FEW_SHAPE(R, 1)), FEW_SHAPE(R));
  few_node sum = few_reshape(g, few_sum(g, back, FEW_SHAPE(R, 1)), FEW_SHAPE(R));
  return (struct sampled){k, few_affine(g, sum, -1, 1)};
}

/* ---- targets ---- */

static few_node clipped(few_graph *g, const struct shortcut_opts *o, few_node x) {
  if (!(o->target_clip > 0)) return x;
  x = few_max(g, x, few_fill(g, -o->target_clip, FEW_SCALAR));
  return few_min(g, x, few_fill(g, o->target_clip, FEW_SCALAR));
}

struct half { /* half steps of the consistency rows */
  few_node k, label;
  few_node guided; /* [rows] 1 if the half step is the smallest step; FEW_NONE: no guidance */
};

static few_node velocity(struct few_loss *l, const struct shortcut_opts *o, const struct half *h,
                         few_node x, few_node t) {
  few_graph *g = l->g;
  const enum few_role who = o->target == STUDENT ? FEW_STUDENT : FEW_TARGET;
  few_node F = few__flow_target_F(l, who, x, t, h->label, h->k);
  if (h->guided != FEW_NONE) {
    few_node none = few__flow_target_F(l, who, x, t, FEW_NONE, h->k);
    few_node more = few_scale(g, few_sub(g, F, none), o->guidance - 1);
    F = few_add(g, F, few_mul(g, few__flow_rows(l, h->guided, x), more));
  }
  return few__flow_velocity(l, x, t, F);
}

/* 2^-k for whole k up to n, exactly: 1 - sum_{j <= k} 2^-j. */
static few_node power(few_graph *g, few_node k, int n) {
  few_node d = few_fill(g, 1, few_node_shape(g, k));
  for (int j = 1; j <= n; j++) {
    few_node there = few_less(g, few_fill(g, j - 0.5, FEW_SCALAR), k);
    d = few_sub(g, d, few_scale(g, there, ldexp(1, -j)));
  }
  return d;
}

static few_node two_half_steps(struct few_loss *l, const struct shortcut_opts *o, few_node x,
                               few_node u, struct half *h) {
  few_graph *g = l->g;
  few_node t = few__flow_time(l, u), d = power(g, h->k, levels(o));
  few_node first = velocity(l, o, h, x, t);
  few_node y = few_div(g, x, few__flow_rows(l, few__flow_n(l, t), x));
  y = few_sub(g, y, few_mul(g, few__flow_rows(l, d, y), first));
  few_node t_half = few__flow_time(l, few_sub(g, u, d));
  few_node x_half = few_mul(g, clipped(g, o, y), few__flow_rows(l, few__flow_n(l, t_half), y));
  few_node second = velocity(l, o, h, x_half, t_half);
  return clipped(g, o, few_scale(g, few_add(g, first, second), 0.5));
}

/* ---- the loss ---- */

static few_node rows_of(few_graph *g, few_node x, int64_t from, int64_t to) {
  return x == FEW_NONE ? x : few_slice(g, x, 0, from, to - from);
}

static void build(struct few_loss *l, const void *opts) {
  const struct shortcut_opts *o = opts;
  few_graph *g = l->g;
  const int n = levels(o);
  const int64_t R = l->rows, B = bootstrap_rows(o, R);
  const struct sampled at = sample_steps(l, n, B);
  l->t = few__flow_time(l, at.u);
  const struct few_trig_state d = few_trig_state_at(l, l->x0, l->t, FEW_RNG_NOISE);
  few_node F = few__flow_F(l, FEW_STUDENT, d.x, d.t, l->label, at.k);
  few_node s = few__flow_velocity(l, d.x, d.t, F);

  struct half h = {few_affine(g, rows_of(g, at.k, 0, B), 1, 1), rows_of(g, l->label, 0, B),
                   FEW_NONE};
  if (o->guidance != 1) h.guided = few_less(g, few_fill(g, n - 0.5, FEW_SCALAR), h.k);
  few_node straight = few_sub(g, few_scale(g, d.z, 1 / l->spec->sigma_data), l->x0);
  few_node target[2] = {two_half_steps(l, o, rows_of(g, d.x, 0, B), rows_of(g, at.u, 0, B), &h),
                        rows_of(g, straight, B, R)};
  few_node off = few_square(g, few_sub(g, s, few_stop(g, few_concat(g, 0, 2, target))));
  const double dims = (double)few_shape_count(few_node_shape(g, off)) / (double)R;
  few_node square = few_scale(g, few_loss_row_sum(l, off), 1 / dims);
  few_loss_log(l, "mse", square);
  square = few_reshape(g, square, FEW_SHAPE(R));
  const double share = (double)B / (double)R;
  few_loss_add(l, "flow", few_mean_all(g, rows_of(g, square, B, R)), 1 - share);
  few_loss_add(l, "consistency", few_mean_all(g, rows_of(g, square, 0, B)), share);
}

static double target_decay(const void *opts, const struct few_clock *at) {
  FEW_UNUSED(at);
  return ((const struct shortcut_opts *)opts)->target_decay;
}

static int64_t max_steps(const void *opts) {
  return ((const struct shortcut_opts *)opts)->steps_max;
}

const struct few_objective_def few__objective_shortcut = {
    .version = FEW_OBJECTIVE_DEF_VERSION,
    .name = "shortcut",
    .source = "arXiv 2410.12557",
    .help = "flow matching in which a long step equals two half steps; 1, 2, 4, 8 .. steps",
    .options = options,
    .options_size = sizeof(struct shortcut_opts),
    .starts_as_teacher = true,
    .follows_flow = true,
    .step_size = FEW_STEP_SIZE_HALVINGS,
    .max_steps = max_steps,
    .augments = true,
    .target = FEW_TARGET_AVERAGE,
    .sampler = "shortcut",
    .check = check,
    .target_decay = target_decay,
    .build = build,
};
