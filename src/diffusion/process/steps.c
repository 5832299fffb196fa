/* steps.c - solvers' steps (Lu and Song, arXiv 2410.11081, eq. 26-28, in our notation).
 *
 * A step goes from s to t < s, and s' > s is where the step before it began. With D the denoised
 * image and e = sin(t) x + cos(t) sigma_d F the noise (of deviation sigma_d):
 *
 *   DDIM              x_t = cos(s-t) x_s - sin(s-t) sigma_d F_s
 *   DPM-Solver-2 2M   ... - sin(s-t)/(2 r cos s) (e_s' - e_s)
 *   DPM-Solver++ 2M   ... + sin(s-t)/(2 r sin s) (D_s' - D_s)
 *
 * where r = (ln tan s - ln tan s')/(ln tan s - ln tan t). r is NEGATIVE, and the formulas need that
 * sign; with |r| they are only of first order.
 *
 * EDM's Heun (Karras et al., arXiv 2206.00364, algorithm 1) averages d = dx_sigma/dsigma, which is
 * e/sigma_d, over the ends of a step in sigma = sigma_d tan t, x_sigma = x_t/cos t. Its Euler step
 * is DDIM's, and cos t (tan t - tan s)/2 = -sin(s-t)/(2 cos s) is the weight of e_t - e_s.
 *
 * DPM-Solver++ (2S) (Lu et al., arXiv 2211.01095, algorithm 1 with r = 1/2) takes a step with the D
 * of its middle m, in ln tan t, which a DDIM step reaches. For a constant D
 *
 *   x_t = sin(t)/sin(s) x_s + sin(s-t)/sin(s) D.
 *
 * Flow matching's state is y_u = (1-u) x0 + u eps = x_t/n(t) with n(t) = cos t + sigma_d sin t and
 * u = sigma_d sin(t)/n(t), so that u_s - u_t = sigma_d sin(s-t)/(n(s) n(t)), and
 * y_t = y_s - (u_s - u_t) v is
 *
 *   x_t = n(t)/n(s) x_s - sigma_d sin(s-t)/n(s) v.
 *
 * Noise: in x_s = (cos s/cos t) x_t + noise the noise has the variance
 *
 *   sigma_d^2 (sin^2 s - (cos s/cos t)^2 sin^2 t) = sigma_d^2 sin(s-t) sin(s+t)/cos^2 t,
 *
 * and DDPM's posterior of x_t given x_s and x0 (Ho et al., arXiv 2006.11239, eq. 7) has this
 * variance times sin^2 t/sin^2 s. The family of samplers of DDIM (Song et al., arXiv 2010.02502,
 * eq. 12 and 16) adds fresh noise of eta times that deviation, w sigma_d, and keeps a part of the
 * old noise e:
 *
 *   x_t = cos(t) D + sqrt(sin^2 t - w^2) e + w sigma_d z,
 *   w   = eta tan(t)/sin(s) sqrt(sin(s-t) sin(s+t)).
 */
#include "predict.h"

#include <math.h>

struct few_line few_step_ddim(double sigma_d, double s, double t) {
  assert(sigma_d > 0);
  return (struct few_line){cos(s - t), -sin(s - t) * sigma_d};
}

struct few_line few_step_denoise(double sigma_d, double t) {
  return (struct few_line){cos(t), -sin(t) * sigma_d};
}

struct few_line few_step_noise(double sigma_d, double t) {
  return (struct few_line){sin(t), cos(t) * sigma_d};
}

/* 1/r */
static double inverse_ratio(double s_before, double s, double t) {
  assert(s_before > s && s > t && t > 0);
  return (log(tan(s)) - log(tan(t))) / (log(tan(s)) - log(tan(s_before)));
}

double few_step_dpmpp_2m(double s_before, double s, double t) {
  if (t <= 0) return 0;
  return sin(s - t) / (2 * sin(s)) * inverse_ratio(s_before, s, t);
}

double few_step_dpm_2m(double s_before, double s, double t) {
  if (t <= 0) return 0;
  return -sin(s - t) / (2 * cos(s)) * inverse_ratio(s_before, s, t);
}

double few_step_heun(double s, double t) { return -sin(s - t) / (2 * cos(s)); }

struct few_line few_step_euler(double sigma_d, double s, double t) {
  return (struct few_line){1, -(s - t) * sigma_d};
}

double few_step_middle(double s, double t) {
  assert(s > t && t > 0);
  return atan(sqrt(tan(s) * tan(t)));
}

struct few_line few_step_dpmpp_2s(double s, double t) {
  assert(s > 0);
  return (struct few_line){sin(t) / sin(s), sin(s - t) / sin(s)};
}

struct few_noisy_step few_step_ddpm(double sigma_d, double s, double t, double eta) {
  assert(sigma_d > 0 && eta >= 0 && eta <= 1 && s > t);
  double w = eta * tan(t) / sin(s) * sqrt(sin(s - t) * sin(s + t));
  double kept = sqrt(fmax(0, (sin(t) - w) * (sin(t) + w))); /* factor of e */
  return (struct few_noisy_step){.line.x = cos(t) * cos(s) + kept * sin(s),
                                 .line.y = (kept * cos(s) - cos(t) * sin(s)) * sigma_d,
                                 .noise = w * sigma_d};
}

struct few_line few_step_renoise(double sigma_d, double t, double s) {
  assert(sigma_d > 0 && s >= t);
  return (struct few_line){cos(s) / cos(t), sigma_d * sqrt(sin(s - t) * sin(s + t)) / cos(t)};
}
