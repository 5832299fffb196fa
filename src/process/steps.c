/* steps.c - solvers' steps (Lu and Song, arXiv 2410.11081, eq. 26-28, in our notation).
 *
 * With D the denoised image and e = sin(t) x + cos(t) sigma_d F the noise (of deviation sigma_d):
 *
 *   DDIM              x_t = cos(s-t) x_s - sin(s-t) sigma_d F_s
 *   DPM-Solver-2 2M   ... - sin(s-t)/(2 r cos s) (e_s' - e_s)
 *   DPM-Solver++ 2M   ... + sin(s-t)/(2 r sin s) (D_s' - D_s)
 *
 * where r = (ln tan s - ln tan s')/(ln tan s - ln tan t). r is NEGATIVE, and the formulas are right
 * with that sign; with |r| they fall to first order.
 *
 * EDM's Heun (Karras et al., arXiv 2206.00364, algorithm 1) averages d = dx_sigma/dsigma, which is
 * e/sigma_d, over the ends of a step in sigma = sigma_d tan t, x_sigma = x_t/cos t. Its Euler step
 * is DDIM's, and cos t (tan t - tan s)/2 = -sin(s-t)/(2 cos s) is the weight of e_t - e_s.
 */
#include "steps.h"

#include <math.h>

struct few_line few__step_ddim(double sigma_d, double s, double t) {
  return (struct few_line){cos(s - t), -sin(s - t) * sigma_d};
}

struct few_line few__step_denoise(double sigma_d, double t) {
  return (struct few_line){cos(t), -sin(t) * sigma_d};
}

struct few_line few__step_noise(double sigma_d, double t) {
  return (struct few_line){sin(t), cos(t) * sigma_d};
}

/* 1/r */
static double inverse_ratio(double s_before, double s, double t) {
  assert(s_before > s && s > t && t > 0);
  return (log(tan(s)) - log(tan(t))) / (log(tan(s)) - log(tan(s_before)));
}

double few__step_dpmpp_2m(double s_before, double s, double t) {
  if (t <= 0) return 0;
  return sin(s - t) / (2 * sin(s)) * inverse_ratio(s_before, s, t);
}

double few__step_dpm_2m(double s_before, double s, double t) {
  if (t <= 0) return 0;
  return -sin(s - t) / (2 * cos(s)) * inverse_ratio(s_before, s, t);
}

double few__step_heun(double s, double t) { return -sin(s - t) / (2 * cos(s)); }
