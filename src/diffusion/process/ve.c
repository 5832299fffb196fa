/* ve.c - the variance-exploding process of score matching (Song et al., arXiv 2011.13456, app. C)
 * as EDM writes it (Karras et al., arXiv 2206.00364, table 1).
 *
 *   x_sigma = x0 + sigma eps,   t = sigma in [0, infinity),   sigma = sigma_d tan t_trig
 *
 *   D = x + sigma net(x, ln(sigma/2)):   the network takes the state unscaled and gives -eps; few's
 *   networks of this process predict eps.
 *
 * It is EDM's state with other choices for networks. The state and ln(sigma/2) have no bound as
 * t_trig goes to pi/2, and ln(sigma/2) none at 0. So they are limited to 1e-5 < tan t_trig < 1e4.
 *
 * Training times have ln(sigma) uniform from ln 0.02 to ln 100. The grid `geometric` has N levels,
 * equal steps in ln(sigma) from 100 to 0.02, and then 0, so that the last step is a denoising step.
 * If sampling stops early, at t_end > 0, the last level is t_end.
 */
#include "process.h"

static const double least = 0.02, most = 100; /* sigma */
static const double least_sin = 1e-5, least_cos = 1e-4;

static struct few_mix at(double sigma_d, double t) {
  FEW_UNUSED(sigma_d);
  return (struct few_mix){1, t};
}

static double time_of(double sigma_d, struct few_mix ray) {
  FEW_UNUSED(sigma_d);
  return ray.eps / ray.x0;
}

static double net_scale(double sigma_d, double t) {
  FEW_UNUSED(sigma_d);
  FEW_UNUSED(t);
  return 1;
}

static double net_time(double sigma_d, double t) {
  FEW_UNUSED(sigma_d);
  return log(t / 2);
}

static few_node cosine(few_graph *g, few_node t) {
  return few_max(g, few_cos(g, t), few_fill(g, least_cos, FEW_SCALAR));
}

/* x_t = cos(t) x_sigma. */
static few_node input(few_graph *g, double sigma_d, few_node t) {
  return few_scale(g, few_recip(g, cosine(g, t)), sigma_d);
}

static few_node embedded_time(few_graph *g, const struct few_units *u, few_node t) {
  few_node s = few_max(g, few_sin(g, t), few_fill(g, least_sin, FEW_SCALAR));
  return few_log(g, few_scale(g, few_div(g, s, cosine(g, t)), u->sigma_d / 2));
}

/* sigma = least (most/least)^u. */
static few_node trig_time(few_graph *g, const struct few_process_opts *o, double sigma_d,
                          few_node u) {
  FEW_UNUSED(o);
  few_node sigma = few_exp(g, few_affine(g, u, log(most / least), log(least)));
  return few__process_angle(g, few_fill(g, sigma_d, few_node_shape(g, u)), sigma);
}

static double grid(const struct few_times_opts *o, double sigma_d, int i) {
  const double last = o->t_end > 0 ? sigma_d * tan(o->t_end) : least;
  return atan(exp(few__grid_point(log(most), log(last), i, few__grid_levels(o))) / sigma_d);
}

const struct few_process few__process_ve = {
    .name = "ve",
    .source = "Song et al., arXiv 2011.13456; Karras et al., arXiv 2206.00364",
    .help = "variance exploding: noise is added to the image, and networks take it unscaled",
    .t_min = 0,
    .t_max = INFINITY,
    .predicts = FEW_PREDICT_EPS,
    .at = at,
    .time = time_of,
    .net_scale = net_scale,
    .net_time = net_time,
    .input = input,
    .embedded_time = embedded_time,
    .trig_time = trig_time,
    .uniform_times = true,
    .schedule = "geometric",
    .schedule_help = "equal steps in ln sigma from 100 to 0.02",
    .grid = grid,
};
