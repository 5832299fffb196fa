/* flow.c - flow matching on straight lines (Lipman et al., arXiv 2210.02747; rectified flow, Liu et
 * al., arXiv 2209.03003), with time running from image to noise.
 *
 *   y_u = (1 - u) x0 + u eps,   u in [0, 1],   v = E[eps - x0 | y_u],   D = y_u - u v,
 *   u = sigma/(1 + sigma) = sigma_d sin t/(cos t + sigma_d sin t),   sigma = sigma_d tan t,
 *
 * where t is TrigFlow's. The inputs of the network are y_u and u. Training times have u uniform in
 * (0, 1); a logit-normal u is Esser et al.'s (arXiv 2403.03206). The grid `flow` has equal steps in
 * u from 1, which is pure noise, t = pi/2.
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

static few_node embedded_time(few_graph *g, const struct few_units *u, few_node t) {
  few_node noise = few_scale(g, few_sin(g, t), u->sigma_d);
  return few_div(g, noise, few_add(g, few_cos(g, t), noise));
}

static few_node input(few_graph *g, double sigma_d, few_node t) {
  few_node length = few_add(g, few_cos(g, t), few_scale(g, few_sin(g, t), sigma_d));
  return few_scale(g, few_recip(g, length), sigma_d);
}

static few_node trig_time(few_graph *g, const struct few_process_opts *o, double sigma_d,
                          few_node u) {
  FEW_UNUSED(o);
  return few__process_angle(g, few_affine(g, u, -sigma_d, sigma_d), u);
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
    .input = input,
    .embedded_time = embedded_time,
    .trig_time = trig_time,
    .uniform_times = true,
    .schedule = "flow",
    .schedule_help = "equal steps of flow matching, from pure noise",
};
