/* few/ext/steps.h - predictions of networks, and one step of each solver of the probability-flow
 * ODE.
 *
 * Every prediction of a denoising network is a mix of the clean image and the noise,
 * y = p x0 + q eps with eps ~ N(0, I). Its input is such a mix too, x_t = alpha x0 + sigma eps.
 *
 * A step goes from s down to t, 0 <= t < s <= pi/2, where s and t are TrigFlow's times in radians:
 * x_t = cos(t) x0 + sin(t) z, z = sigma_d eps, and dx_t/dt = sigma_d F. Steps of DDIM, Euler
 * and Heun may also go up. A step is a few scalars in f64: samplers apply them to arrays, and
 * objectives that distil such steps put them into a graph. Any thread may call these.
 * How stable this header is: few/ext/common.h.
 */
#ifndef FEW_EXT_STEPS_H
#define FEW_EXT_STEPS_H

#include "few/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* x0 * (clean image) + eps * (unit noise). */
struct few_mix {
  double x0, eps;
};

/* x * x_t + y * output. */
struct few_line {
  double x, y;
};

enum few_prediction {
  /* TrigFlow: cos(phi) eps - sin(phi) x0/sigma_d, with tan(phi) = sigma/(sigma_d alpha) */
  FEW_PREDICT_F,
  FEW_PREDICT_EDM,  /* EDM's raw network: -F */
  FEW_PREDICT_X,    /* x0 */
  FEW_PREDICT_EPS,  /* eps */
  FEW_PREDICT_V,    /* (alpha eps - sigma x0) / sqrt(alpha^2 + sigma^2) */
  FEW_PREDICT_FLOW, /* eps - x0 */
  FEW_PREDICT_MIXES,
  /* Not one mix but two: x0 and eps, side by side in the channels. Together they give
   * v = (alpha eps - sigma x0)/sqrt(alpha^2 + sigma^2) (Salimans and Ho, arXiv 2202.00512, app. D:
   * x = sigma^2 x_head + alpha^2 x(eps_head) at alpha^2 + sigma^2 = 1, which is the same). */
  FEW_PREDICT_BOTH = FEW_PREDICT_MIXES,
  FEW_PREDICTIONS
};

/* The betas of DDPM's discrete process, for networks that take the number of a step as their time
 * (arXiv 2006.11239; 2102.09672, eq. 17; zero_snr: 2305.08891). */
enum few_beta_schedule {
  FEW_BETAS_LINEAR,        /* equal steps from start to end */
  FEW_BETAS_SCALED_LINEAR, /* equal steps of sqrt(beta) */
  FEW_BETAS_COSINE,        /* start and end are not used */
  FEW_BETA_SCHEDULES
};
struct few_betas {
  enum few_beta_schedule schedule;
  double start, end; /* 0 < start <= end < 1 */
  int64_t steps;     /* FEW_BETAS_MIN_STEPS to FEW_BETAS_MAX_STEPS */
  bool zero_snr;     /* rescaled so that the last step is pure noise */
};
enum { FEW_BETAS_MIN_STEPS = 3, FEW_BETAS_MAX_STEPS = 4096 };
#define FEW_BETAS_INIT \
  { FEW_BETAS_LINEAR, 1e-4, 0.02, 1000, false }

/* DDIM: x_t = line.x x_s + line.y F(x_s, s), exact if the denoised image does not change. */
FEW_API struct few_line few_step_ddim(double sigma_d, double s, double t);
/* The denoised image D = line.x x_t + line.y F, and TrigFlow's noise sigma_d E[eps] likewise. */
FEW_API struct few_line few_step_denoise(double sigma_d, double t);
FEW_API struct few_line few_step_noise(double sigma_d, double t);

/* The factor w of two-step corrections: to DDIM's x_t add w (D(x_s', s') - D(x_s, s)) for
 * DPM-Solver++ (2M), or w (noise(x_s', s') - noise(x_s, s)) for DPM-Solver-2 (2M), where s' > s is
 * the previous time. w = 0 for the step to t = 0, which must be of first order. */
FEW_API double few_step_dpmpp_2m(double s_before, double s, double t);
FEW_API double few_step_dpm_2m(double s_before, double s, double t);

/* The factor w of EDM's Heun step: to DDIM's x_t add w (noise(x_t, t) - noise(x_s, s)), with DDIM's
 * x_t in the correction too. s < pi/2. */
FEW_API double few_step_heun(double s, double t);

/* Euler in TrigFlow's own t: x_t = line.x x_s + line.y F(x_s, s). */
FEW_API struct few_line few_step_euler(double sigma_d, double s, double t);

/* DPM-Solver++ (2S): the time in the middle of ln tan t, and x_t = line.x x_s + line.y D(middle).
 */
FEW_API double few_step_middle(double s, double t);
FEW_API struct few_line few_step_dpmpp_2s(double s, double t);

/* A step with fresh noise: x_t = line.x x_s + line.y F(x_s, s) + noise z, z standard normal. */
struct few_noisy_step {
  struct few_line line;
  double noise;
};
/* DDPM's ancestral step for eta = 1, DDIM's for 0, and steps in between; 0 <= eta <= 1. */
FEW_API struct few_noisy_step few_step_ddpm(double sigma_d, double s, double t, double eta);
/* Goes back from t to s > t by adding noise: x_s = line.x x_t + line.y z. t < pi/2. */
FEW_API struct few_line few_step_renoise(double sigma_d, double t, double s);

#ifdef __cplusplus
}
#endif
#endif
