/* steps.h - one step of each solver of the probability-flow ODE, as scalars in f64.
 *
 * A step goes from s down to t, 0 <= t < s <= pi/2, in TrigFlow's terms; those of DDIM, Euler and
 * Heun also go up. Samplers apply these scalars to arrays; objectives that distil such steps put
 * them into a graph.
 */
#ifndef FEW_SRC_STEPS_H
#define FEW_SRC_STEPS_H

#include "predict.h"

/* DDIM: x_t = line.x x_s + line.y F(x_s, s), exact if the denoised image does not change. */
struct few_line few__step_ddim(double sigma_d, double s, double t);
/* The denoised image D = line.x x_t + line.y F, and TrigFlow's noise sigma_d E[eps] likewise. */
struct few_line few__step_denoise(double sigma_d, double t);
struct few_line few__step_noise(double sigma_d, double t);

/* Two-step corrections: to DDIM's x_t add w (D(x_s', s') - D(x_s, s)) for DPM-Solver++ (2M), or
 * w (noise(x_s', s') - noise(x_s, s)) for DPM-Solver-2 (2M), where s' > s is the point before.
 * 0 for the step to t = 0, which must be of first order. */
double few__step_dpmpp_2m(double s_before, double s, double t);
double few__step_dpm_2m(double s_before, double s, double t);

/* EDM's Heun: to DDIM's x_t add w (noise(x_t, t) - noise(x_s, s)), x_t being DDIM's. s < pi/2. */
double few__step_heun(double s, double t);

/* Euler in TrigFlow's own t: x_t = line.x x_s + line.y F(x_s, s). */
struct few_line few__step_euler(double sigma_d, double s, double t);

/* DPM-Solver++ (2S): the time in the middle of ln tan t, and x_t = line.x x_s + line.y D(middle).
 */
double few__step_middle(double s, double t);
struct few_line few__step_dpmpp_2s(double s, double t);

/* Steps that draw: x_t = line.x x_s + line.y F(x_s, s) + noise z, z standard normal. */
struct few_noisy_step {
  struct few_line line;
  double noise;
};
/* DDPM's ancestral step for eta 1, DDIM for 0, between them what lies between; 0 <= eta <= 1. */
struct few_noisy_step few__step_ddpm(double sigma_d, double s, double t, double eta);
/* Back up by noise alone, from t to s > t: x_s = line.x x_t + line.y z. t < pi/2. */
struct few_line few__step_renoise(double sigma_d, double t, double s);

#endif
