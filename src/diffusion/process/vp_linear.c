/* vp_linear.c - the variance-preserving process with linear beta: DDPM's in continuous time (Ho et
 * al., arXiv 2006.11239; Song et al., arXiv 2011.13456, app. B).
 *
 *   beta(t) = b0 + (b1 - b0) t,   b0 = 0.1, b1 = 20,   t in [0, 1]
 *   alpha = e^{-B/2},   sigma = sqrt(1 - e^{-B}),   B(t) = b0 t + (b1 - b0) t^2/2.
 *
 * From the noise-to-signal ratio r, B = ln(1 + r^2), and the root of the quadratic without
 * cancellation is
 *
 *   t = 2 B / (b0 + sqrt(b0^2 + 2 (b1 - b0) B)).
 *
 * States noisier than that of t = 1, r = e^{B(1)/2} = 152, have t > 1; the formulas hold there too.
 * Networks predict eps, and the input of their embedding is t (DDPM's step index is 1000 t).
 *
 * Training times have t uniform from 1e-5 (Song et al.). The grid `linear-beta` has equal steps in
 * t from 1. It is the limit of DDPM's thousand steps, of variance 1e-4 to 0.02, for more steps.
 */
#include "process.h"

static const double b0 = 0.1, slope = 19.9; /* b1 - b0 */

static struct few_mix at(double sigma_d, double t) {
  FEW_UNUSED(sigma_d);
  double B = t * (b0 + 0.5 * slope * t);
  return (struct few_mix){exp(-0.5 * B), sqrt(-expm1(-B))};
}

static double time_of(double sigma_d, struct few_mix ray) {
  FEW_UNUSED(sigma_d);
  double r = ray.eps / ray.x0, B = log1p(r * r);
  return 2 * B / (b0 + sqrt(b0 * b0 + 2 * slope * B));
}

static double net_scale(double sigma_d, double t) {
  FEW_UNUSED(sigma_d);
  FEW_UNUSED(t);
  return 1;
}

static double net_time(double sigma_d, double t) {
  FEW_UNUSED(sigma_d);
  return t;
}

/* Uses 1 + r^2 = (cos^2 t + sigma_d^2 sin^2 t)/cos^2 t. In single precision cos is -4e-8 at pi/2,
 * so this stays finite. */
static few_node embedded_time(few_graph *g, const struct few_units *u, few_node t) {
  few_node B = few_sub(g, few_log(g, few__process_norm_squared(g, u->sigma_d, t)),
                       few_log(g, few_square(g, few_cos(g, t))));
  few_node root = few_sqrt(g, few_affine(g, B, 2 * slope, b0 * b0));
  return few_div(g, few_scale(g, B, 2), few_affine(g, root, 1, b0));
}

/* Uses r^2 = e^B - 1 = e^B 2 T/(1 + T) with T = tanh(B/2), which does not cancel at small B. */
static few_node trig_time(few_graph *g, const struct few_process_opts *o, double sigma_d,
                          few_node u) {
  FEW_UNUSED(o);
  u = few_affine(g, u, 1 - 1e-5, 1e-5);
  few_node B = few_mul(g, u, few_affine(g, u, slope / 2, b0));
  few_node T = few_tanh(g, few_scale(g, B, 0.5));
  few_node ratio = few_div(g, few_scale(g, T, 2), few_affine(g, T, 1, 1));
  few_node r = few_sqrt(g, few_mul(g, few_exp(g, B), ratio));
  return few__process_angle(g, few_fill(g, sigma_d, few_node_shape(g, u)), r);
}

const struct few_process few__process_vp_linear = {
    .name = "vp-linear",
    .source = "Ho et al., arXiv 2006.11239; Song et al., arXiv 2011.13456",
    .help = "variance preserving, beta grows linearly from 0.1 to 20 (DDPM)",
    .t_min = 0,
    .t_max = 1,
    .predicts = FEW_PREDICT_EPS,
    .at = at,
    .time = time_of,
    .net_scale = net_scale,
    .net_time = net_time,
    .input = few__process_unit_variance,
    .embedded_time = embedded_time,
    .trig_time = trig_time,
    .uniform_times = true,
    .schedule = "linear-beta",
    .schedule_help = "equal steps of DDPM's own process",
};
