/* edm.c - the variance-exploding process of EDM (Karras et al., arXiv 2206.00364, table 1).
 *
 *   x_sigma = x0 + sigma eps,   t = sigma in [0, infinity).
 *
 *   D = c_skip x + c_out net(c_in x, ln(sigma)/4),   c_in = 1/sqrt(sigma^2 + sigma_d^2),
 *   c_skip = sigma_d^2/(sigma^2 + sigma_d^2),   c_out = sigma sigma_d/sqrt(sigma^2 + sigma_d^2).
 *
 * c_skip and c_out follow from the prediction `edm`, which is -F of TrigFlow.
 */
#include <math.h>

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

const struct few_process few__process_edm = {
    .name = "edm",
    .source = "Karras et al., arXiv 2206.00364",
    .help = "noise added to an image that stays as it is; t is the noise's standard deviation",
    .t_min = 0,
    .t_max = INFINITY,
    .predicts = FEW_PREDICT_EDM,
    .at = at,
    .time = time_of,
    .net_scale = net_scale,
    .net_time = net_time,
};
