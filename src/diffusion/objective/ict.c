/* ict - improved consistency training (Song and Dhariwal, arXiv 2310.14189, table 1):
 *
 *   L     = E 1/(c_i+1 - c_i) d(f(x_i+1, t_i+1), stop f(x_i, t_i)),   the same image and noise
 *   d     = sqrt(|.|^2 + c^2) - c,   c = 0.00054 sqrt(D),   |.| the L2 norm over a whole sample
 *   p(i)  ~ Phi((ln sigma_i+1 - P_mean)/P_std) - Phi((ln sigma_i - P_mean)/P_std)
 *   N(k)  = min(s0 2^floor(k/K'), s1) + 1,   K' = floor(K / (log2 floor(s1/s0) + 1))
 *
 *   paper                here
 *   sigma_i              c_i on the path edm (discrete.h)
 *   lambda(sigma_i)      1/hop.width
 *   d, c                 few__discrete_add, huber_c = c/sqrt(D)
 *   p(sigma_i)           few__grid_lognormal, which writes erf as the normal distribution Phi
 *   N(k), s0, s1         scalar[0], s0, s1
 *
 * The target is the current student. If the target were an average, the loss would not approach
 * that of continuous time as N grows (section 3.2). Index and grid are computed in the graph.
 */
#include <math.h>

#include "base/rng.h"
#include "discrete.h"

struct ict_opts {
  struct few_grid_opts grid;
  struct few_distance_opts metric;
  int64_t s0, s1;
  double p_mean, p_std;
};

static const struct few_option options[] = {
    FEW_OPT_INT(struct ict_opts, s0, "10", 1, 100000, "intervals of the grid at the start"),
    FEW_OPT_INT(struct ict_opts, s1, "1280", 1, 100000,
                "most intervals of the grid, reached by doubling"),
    FEW_OPT_REAL(struct ict_opts, p_mean, "-1.1", -20, 20, "mean of ln(sigma_d tan t)"),
    FEW_OPT_REAL(struct ict_opts, p_std, "2", 0.01, 20, "standard deviation of ln(sigma_d tan t)"),
    FEW_METRIC_OPTIONS(struct ict_opts, "huber", "0.00054"),
    FEW_GRID_OPTIONS(struct ict_opts),
    FEW_OPT_END};

static few_status check(few_ctx *ctx, const void *opts, const struct few_fit *fit) {
  const struct ict_opts *o = opts;
  FEW_UNUSED(fit);
  few__discrete_warn(ctx, "ict", "s1", (double)o->s1, FEW_NEAR_POINTS);
  if (o->s1 >= o->s0) return FEW_OK;
  return few__fail(
      ctx, FEW_E_INVALID,
      "ict: s1 = %lld is below s0 = %lld, but the grid must become finer: give s1 = s0 or more",
      (long long)o->s1, (long long)o->s0);
}

static void schedule(double *scalar, const void *opts, const struct few_clock *at) {
  const struct ict_opts *o = opts;
  const int64_t ratio = o->s1 / o->s0; /* rounded down, as in the paper */
  const double length = floor((double)at->steps / (log2((double)ratio) + 1));
  const double doublings = floor((double)at->step / fmax(length, 1));
  scalar[0] = fmin((double)o->s0 * exp2(doublings), (double)o->s1) + 1;
}

static void build(struct few_loss *l, const void *opts) {
  const struct ict_opts *o = opts;
  few_node i = few__grid_lognormal(l, &o->grid, l->scalar[0], o->p_mean, o->p_std);
  const struct few_hop hop = few__grid_hop(l, &o->grid, l->scalar[0], i);
  const struct few_trig_state from = few_trig_state_at(l, l->x0, hop.t, FEW_RNG_NOISE),
                              to = few_trig_state_at(l, l->x0, hop.s, FEW_RNG_NOISE);
  few_node target = few__discrete_f(l, FEW_STUDENT, &to, FEW_NONE);
  few__discrete_add(l, &o->metric, &from, FEW_NONE, target, few_recip(l->g, hop.width));
}

const struct few_objective_def few__objective_ict = {
    .version = FEW_OBJECTIVE_DEF_VERSION,
    .name = "ict",
    .source = "arXiv 2310.14189",
    .help = "improved consistency training: pseudo-Huber, lognormal times, doubled grids",
    .options = options,
    .options_size = sizeof(struct ict_opts),
    .starts_as_teacher = true,
    .follows_flow = true,
    .augments = true,
    .sampler = "consistency",
    .check = check,
    .n_scalars = 1,
    .schedule = schedule,
    .build = build,
};
