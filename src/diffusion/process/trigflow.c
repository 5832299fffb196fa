/* trigflow.c - TrigFlow (Lu and Song, arXiv 2410.11081, section 3).
 *
 *   x_t = cos(t) x0 + sin(t) z,   z = sigma_d eps ~ N(0, sigma_d^2 I),   t in [0, pi/2].
 *
 * The noise carries the standard deviation of the data, so x_t has it at every t. The network is
 * F(x_t/sigma_d, t) with the identity as time transform, which is what keeps the tangents of
 * consistency training finite, and
 *
 *   D = cos(t) x_t - sin(t) sigma_d F,   dx_t/dt = sigma_d F.
 */
#include <math.h>

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

const struct few_process few__process_trigflow = {
    .name = "trigflow",
    .source = "Lu and Song, arXiv 2410.11081",
    .help = "a quarter circle from image to noise of the data's own variance",
    .t_min = 0,
    .t_max = FEW_PI_2,
    .predicts = FEW_PREDICT_F,
    .at = at,
    .time = time_of,
    .net_scale = net_scale,
    .net_time = net_time,
};
