/* trigflow.c - TrigFlow (Lu and Song, arXiv 2410.11081, section 3).
 *
 *   x_t = cos(t) x0 + sin(t) z,   z = sigma_d eps ~ N(0, sigma_d^2 I),   t in [0, pi/2].
 *
 * The noise has the standard deviation of the data, and so has x_t at every t. The network is
 * F(x_t/sigma_d, t). The input of its time embedding is t itself (the identity as time transform),
 * which keeps the tangents of consistency training finite. From F follow
 *
 *   D = cos(t) x_t - sin(t) sigma_d F,   dx_t/dt = sigma_d F.
 *
 * Training times have ln(sigma_d tan t) normal, or t = u pi/2. The grid `uniform` has equal steps
 * in t from arctan(sigma_max/sigma_d).
 */
#include "process.h"

static struct few_mix at(double sigma_d, double t) {
  return (struct few_mix){cos(t), sigma_d * sin(t)};
}

static double time_of(double sigma_d, struct few_mix ray) {
  return atan2(ray.eps, sigma_d * ray.x0);
}

static double net_scale(double sigma_d, double t) {
  FEW_UNUSED(t);
  return 1 / sigma_d;
}

static double net_time(double sigma_d, double t) {
  FEW_UNUSED(sigma_d);
  return t;
}

static few_node embedded_time(few_graph *g, const struct few_units *u, few_node t) {
  FEW_UNUSED(g);
  FEW_UNUSED(u);
  return t;
}

static few_node trig_time(few_graph *g, const struct few_process_opts *o, double sigma_d,
                          few_node u) {
  FEW_UNUSED(o);
  FEW_UNUSED(sigma_d);
  return few_scale(g, u, FEW_PI_2);
}

static double grid(const struct few_times_opts *o, double sigma_d, int i) {
  return few__grid_point(atan(o->sigma_max / sigma_d), o->t_end, i, o->steps);
}

const struct few_process few__process_trigflow = {
    .name = "trigflow",
    .source = "Lu and Song, arXiv 2410.11081",
    .help = "a quarter circle from the image to noise with the variance of the data",
    .t_min = 0,
    .t_max = FEW_PI_2,
    .predicts = FEW_PREDICT_F,
    .at = at,
    .time = time_of,
    .net_scale = net_scale,
    .net_time = net_time,
    .embedded_time = embedded_time,
    .trig_time = trig_time,
    .schedule = "uniform",
    .schedule_help = "equal steps in t",
    .grid = grid,
};
