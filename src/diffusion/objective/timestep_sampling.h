/* timestep_sampling.h - at which times an objective trains: the time distributions of the papers'
 * processes, as distributions of TrigFlow's t.
 *
 * A network that predicts F has no process of its own. What a paper's process leaves in its teacher
 * are the times that it was trained at, what it predicts, and how errors are weighted. The first of
 * these is here: include FEW_TIMESTEP_OPTIONS in an objective's option table.
 */
#ifndef FEW_SRC_TIMESTEP_SAMPLING_H
#define FEW_SRC_TIMESTEP_SAMPLING_H

#include "loss.h"

struct few_timestep_opts {
  double p_mean, p_std;
  int process; /* trigflow, edm, vp, vp-linear, flow */
  int times;   /* the process's own, lognormal, uniform, logit-normal */
  double logit_mean, logit_std;
  double logsnr_min, logsnr_max;
  double noise_d, noise_d_high;
};

/* clang-format off */
#define FEW_TIMESTEP_(S, field, type, deflt, min, max, choices, help) \
  FEW_OPT_IN(S, timestep, field, type, deflt, min, max, choices, help)
#define FEW_TIMESTEP_OPTIONS(S, mean, std) \
  FEW_TIMESTEP_(S, p_mean, FEW_OPTION_REAL, mean, -20, 20, NULL, \
            "lognormal: mean of ln(sigma_d tan t), that is of EDM's ln(sigma)"), \
  FEW_TIMESTEP_(S, p_std, FEW_OPTION_REAL, std, 0.01, 20, NULL, "its standard deviation"), \
  FEW_TIMESTEP_(S, process, FEW_OPTION_CHOICE, "trigflow", 0, 0, "trigflow|edm|vp|vp-linear|flow", \
            "whose times are drawn: few list processes"), \
  FEW_TIMESTEP_(S, times, FEW_OPTION_CHOICE, "own", 0, 0, "own|lognormal|uniform|logit-normal", \
            "own: lognormal of trigflow and edm, uniform of vp, vp-linear and flow"), \
  FEW_TIMESTEP_(S, logit_mean, FEW_OPTION_REAL, "0", -20, 20, NULL, \
            "logit-normal: mean of ln(u/(1 - u)), u in (0, 1) the process's time"), \
  FEW_TIMESTEP_(S, logit_std, FEW_OPTION_REAL, "1", 0.01, 20, NULL, "its standard deviation"), \
  FEW_TIMESTEP_(S, logsnr_min, FEW_OPTION_REAL, "-20", -40, 0, NULL, "vp: ln(SNR) at the noisy end"), \
  FEW_TIMESTEP_(S, logsnr_max, FEW_OPTION_REAL, "20", 0, 40, NULL, "vp: and at the clean end"), \
  FEW_TIMESTEP_(S, noise_d, FEW_OPTION_REAL, "0", 0, 4096, NULL, \
            "vp: shift ln(SNR) by 2 ln(noise_d/side), as noisy as images of this side; 0: no"), \
  FEW_TIMESTEP_(S, noise_d_high, FEW_OPTION_REAL, "0", 0, 4096, NULL, \
            "vp: interpolate to the shift of this side at the noisy end; 0: noise_d throughout")
/* clang-format on */

/* FEW_E_INVALID for options that contradict each other or the data. */
few_status few__timestep_check(few_ctx *ctx, const char *name, const struct few_timestep_opts *o,
                               const struct few_net_spec *spec);
/* t of each row, [rows], in [0, pi/2]; random numbers of the purpose FEW_RNG_TIME. */
few_node few__timestep_sample(const struct few_loss *l, const struct few_timestep_opts *o);
/* The same where ln(sigma_d tan t) ~ N(p_mean, p_std^2): times of EDM and sCM. */
few_node few__timestep_lognormal(const struct few_loss *l, double p_mean, double p_std);
/* The state of the data at such times, which also become l->t. */
struct few_trig_state few__trig_sample(struct few_loss *l, double p_mean, double p_std);

#endif
