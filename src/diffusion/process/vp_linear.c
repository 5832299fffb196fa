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
 * Noisier states than t = 1's, r = e^{B(1)/2} = 152, have a t above 1: the formulas go on. Its
 * networks predict eps and see t as it is (DDPM's steps are 1000 t).
 */
#include <math.h>

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
};
