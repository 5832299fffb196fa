/* flow.c - flow matching on straight lines (Lipman et al., arXiv 2210.02747; rectified flow, Liu et
 * al., arXiv 2209.03003), with time running from image to noise.
 *
 *   y_u = (1 - u) x0 + u eps,   u in [0, 1],   v = E[eps - x0 | y_u],   D = y_u - u v.
 *
 * The network sees y_u and u as they are.
 */
#include "process.h"

static struct few_mix at(double sigma_d, double t) {
  FEW_UNUSED(sigma_d);
  return (struct few_mix){1 - t, t};
}

static double time_of(double sigma_d, struct few_mix ray) {
  FEW_UNUSED(sigma_d);
  return ray.eps / (ray.x0 + ray.eps);
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

const struct few_process few__process_flow = {
    .name = "flow",
    .source = "Lipman et al., arXiv 2210.02747",
    .help = "a straight line from image to unit noise",
    .t_min = 0,
    .t_max = 1,
    .predicts = FEW_PREDICT_FLOW,
    .at = at,
    .time = time_of,
    .net_scale = net_scale,
    .net_time = net_time,
};
