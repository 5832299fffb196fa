/* vp.c - the variance-preserving process with the cosine schedule.
 *
 *   x_u = alpha x0 + sigma eps,   alpha^2 + sigma^2 = 1,   u from 0 (clean) to 1 (noise),
 *   lambda(u) = ln(alpha^2/sigma^2) = -2 ln tan(a u + b)
 *
 * with a, b such that lambda runs from 20 to -20 (Salimans and Ho, arXiv 2202.00512, after Nichol
 * and Dhariwal): simply alpha = cos(a u + b), sigma = sin(a u + b). Its networks predict v and take
 * arctan(sigma/alpha)/(pi/2), which is u but for the margins b, as time ("inv_cos").
 */
#include <math.h>

#include "process.h"

/* b = arctan(e^-10); by symmetry the range ends at pi/2 - b. */
static const double margin = 4.539992973129278e-05;
static const double rate = 1.570705526935434; /* pi/2 - 2 b */

static struct few_mix at(double sigma_d, double t) {
  FEW_UNUSED(sigma_d);
  double angle = rate * t + margin;
  return (struct few_mix){cos(angle), sin(angle)};
}

static double angle_of(struct few_mix ray) { return atan2(ray.eps, ray.x0); }

static double time_of(double sigma_d, struct few_mix ray) {
  FEW_UNUSED(sigma_d);
  return (angle_of(ray) - margin) / rate;
}

static double net_scale(double sigma_d, double t) {
  FEW_UNUSED(sigma_d);
  FEW_UNUSED(t);
  return 1;
}

static double net_time(double sigma_d, double t) {
  FEW_UNUSED(sigma_d);
  return (rate * t + margin) / FEW_PI_2;
}

const struct few_process few__process_vp = {
    .name = "vp",
    .source = "Salimans and Ho, arXiv 2202.00512 (cosine log-SNR in [-20, 20])",
    .help =
        "variance preserving, cosine schedule; keys logsnr_min, logsnr_max, noise_d, noise_d_high",
    .t_min = 0,
    .t_max = 1,
    .predicts = FEW_PREDICT_V,
    .at = at,
    .time = time_of,
    .net_scale = net_scale,
    .net_time = net_time,
};
