/* ct - consistency training (Song, Dhariwal, Chen and Sutskever, arXiv 2303.01469, algorithm 3):
 * consistency distillation without a teacher. The state at t_n has the same image and noise,
 * x_n = cos(t_n) x0 + sin(t_n) z. In expectation this agrees with the flow to first order in the
 * step.
 *
 *   L     = E d(f(x_n+1, t_n+1), f_target(x_n, t_n)),   n ~ U{0, .., N-2}   theorem 2, eq. 10
 *   N(k)  = ceil(sqrt(k/K ((s1+1)^2 - s0^2) + s0^2) - 1) + 1      at step k of K       appendix C
 *   mu(k) = exp(s0 ln(mu0) / N(k))                                                appendix C
 *   target <- mu(k) target + (1 - mu(k)) student                                 algorithm 3
 *
 *   paper                    here
 *   x + t_n+1 z, x + t_n z   from, to: the same states divided by 1/cos t
 *   f_theta, f_theta^-       few__discrete_f of FEW_STUDENT, FEW_TARGET
 *   N(k)                     scalar[0], by points()
 *   mu(k)                    target_decay()
 */
#include <math.h>

#include "base/rng.h"
#include "discrete.h"

struct ct_opts {
  struct few_grid_opts grid;
  struct few_distance_opts metric;
  int64_t s0, s1;
  double mu0;
};

static const struct few_option options[] = {
    FEW_OPT_INT(struct ct_opts, s0, "2", 2, 100000, "points of the grid at the start"),
    FEW_OPT_INT(struct ct_opts, s1, "150", 2, 100000, "points of the grid at the end"),
    FEW_OPT_REAL(struct ct_opts, mu0, "0.9", 0, 0.999999,
                 "mu, the decay of the average that is the target, at the start"),
    FEW_METRIC_OPTIONS(struct ct_opts, "l2", "0.00054"),
    FEW_GRID_OPTIONS(struct ct_opts),
    FEW_OPT_END};

static few_status check(few_ctx *ctx, const void *opts, const struct few_fit *fit) {
  const struct ct_opts *o = opts;
  FEW_UNUSED(fit);
  few__discrete_warn(ctx, "ct", "s1", (double)o->s1, FEW_NEAR_POINTS);
  if (o->s1 >= o->s0) return FEW_OK;
  return few__fail(
      ctx, FEW_E_INVALID,
      "ct: s1 = %lld is below s0 = %lld, but the grid must become finer: give s1 = s0 or more",
      (long long)o->s1, (long long)o->s0);
}

static double points(const struct ct_opts *o, const struct few_clock *at) {
  const double first = (double)(o->s0 * o->s0), last = (double)((o->s1 + 1) * (o->s1 + 1));
  return ceil(sqrt((double)at->step / (double)at->steps * (last - first) + first) - 1) + 1;
}

static void schedule(double *scalar, const void *opts, const struct few_clock *at) {
  scalar[0] = points(opts, at);
}

static double target_decay(const void *opts, const struct few_clock *at) {
  const struct ct_opts *o = opts;
  return pow(o->mu0, (double)o->s0 / points(o, at));
}

static void build(struct few_loss *l, const void *opts) {
  const struct ct_opts *o = opts;
  few_node i = few__grid_uniform(l, l->scalar[0]);
  const struct few_hop hop = few__grid_hop(l, &o->grid, l->scalar[0], i);
  const struct few_trig_state from = few_trig_state_at(l, l->x0, hop.t, FEW_RNG_NOISE),
                              to = few_trig_state_at(l, l->x0, hop.s, FEW_RNG_NOISE);
  few_node target = few__discrete_f(l, FEW_TARGET, &to, FEW_NONE);
  few__discrete_add(l, &o->metric, &from, FEW_NONE, target, FEW_NONE);
}

const struct few_objective_def few__objective_ct = {
    .version = FEW_OBJECTIVE_DEF_VERSION,
    .name = "ct",
    .source = "arXiv 2303.01469",
    .help = "consistency training, without a teacher",
    .options = options,
    .options_size = sizeof(struct ct_opts),
    .starts_as_teacher = true,
    .follows_flow = true,
    .augments = true,
    .target = FEW_TARGET_AVERAGE,
    .target_decay = target_decay,
    .sampler = "consistency",
    .check = check,
    .n_scalars = 1,
    .schedule = schedule,
    .build = build,
};
