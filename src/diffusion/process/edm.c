/* edm.c - the variance-exploding process of EDM (Karras et al., arXiv 2206.00364, table 1).
 *
 *   x_sigma = x0 + sigma eps,   t = sigma in [0, infinity),   sigma = sigma_d tan t_trig.
 *
 *   D = c_skip x + c_out net(c_in x, ln(sigma)/4),   c_in = 1/sqrt(sigma^2 + sigma_d^2),
 *   c_skip = sigma_d^2/(sigma^2 + sigma_d^2),   c_out = sigma sigma_d/sqrt(sigma^2 + sigma_d^2).
 *
 * c_skip and c_out follow from the prediction `edm`, which is -F of TrigFlow.
 *
 * The input of a time embedding is ln(sigma)/4. It has no bound at either end of t_trig, so it is
 * limited to 1e-5 < tan t_trig < 1e4; EDM does not train beyond. Its slope near the ends is steep,
 * so avoid this transform in consistency training.
 *
 * Training times have ln(sigma) ~ N(p_mean, p_std^2), -1.2 and 1.2 in the paper.
 *
 * The grid `karras` (eq. 5) has N levels, equal steps in sigma^(1/rho) from sigma_max to sigma_min,
 * and then 0, so that the last step is a denoising step. If sampling stops early, at t_end > 0, the
 * last level is t_end.
 */
#include "process.h"

static struct few_mix at(double sigma_d, double t) {
  FEW_UNUSED(sigma_d);
  return (struct few_mix){1, t};
}

static double time_of(double sigma_d, struct few_mix ray) {
  FEW_UNUSED(sigma_d);
  return ray.eps / ray.x0;
}

static double net_scale(double sigma_d, double t) { return 1 / hypot(t, sigma_d); }

static double net_time(double sigma_d, double t) {
  FEW_UNUSED(sigma_d);
  return log(t) / 4;
}

static few_node embedded_time(few_graph *g, const struct few_units *u, few_node t) {
  few_node s = few_max(g, few_sin(g, t), few_fill(g, 1e-5, FEW_SCALAR));
  few_node c = few_max(g, few_cos(g, t), few_fill(g, 1e-4, FEW_SCALAR)), tan = few_div(g, s, c);
  return few_scale(g, few_log(g, few_scale(g, tan, u->sigma_d)), 0.25);
}

static double grid(const struct few_times_opts *o, double sigma_d, int i) {
  const double first = pow(o->sigma_max, 1 / o->rho),
               last = pow(few__grid_last_sigma(o, sigma_d), 1 / o->rho);
  return atan(pow(few__grid_point(first, last, i, few__grid_levels(o)), o->rho) / sigma_d);
}

const struct few_process few__process_edm = {
    .name = "edm",
    .source = "Karras et al., arXiv 2206.00364",
    .help = "noise is added to the unscaled image; t is the noise's standard deviation",
    .t_min = 0,
    .t_max = INFINITY,
    .predicts = FEW_PREDICT_EDM,
    .at = at,
    .time = time_of,
    .net_scale = net_scale,
    .net_time = net_time,
    .embedded_time = embedded_time,
    .schedule = "karras",
    .schedule_help = "EDM's: equal steps in sigma^(1/7) from 80 to 0.002",
    .grid = grid,
};
