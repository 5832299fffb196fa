/* draw.h - at which times an objective looks: the processes of teachers, as ways of drawing t.
 *
 * A network that is asked for F has no process of its own; what a paper's process leaves in its
 * teacher are the times that it was shown, what it predicts and how its errors are weighted. The
 * first is here: include FEW_DRAW_OPTIONS in an objective's table.
 */
#ifndef FEW_SRC_DRAW_H
#define FEW_SRC_DRAW_H

#include "objective.h"

struct few_draw_opts {
  double p_mean, p_std;
  int process; /* trigflow, edm, vp, vp-linear, flow */
  int times;   /* the process's own, lognormal, uniform, logit-normal */
  double logit_mean, logit_std;
  double logsnr_min, logsnr_max;
  double noise_d, noise_d_high;
};

/* clang-format off */
#define FEW_DRAW_(S, field, type, deflt, min, max, choices, help) \
  {#field, type, offsetof(S, draw.field), sizeof(((S *)0)->draw.field), deflt, min, max, choices, \
   help}
#define FEW_DRAW_OPTIONS(S, mean, std) \
  FEW_DRAW_(S, p_mean, FEW_OPTION_REAL, mean, -20, 20, NULL, \
            "lognormal: mean of ln(sigma_d tan t), that is of EDM's ln(sigma)"), \
  FEW_DRAW_(S, p_std, FEW_OPTION_REAL, std, 0.01, 20, NULL, "its standard deviation"), \
  FEW_DRAW_(S, process, FEW_OPTION_CHOICE, "trigflow", 0, 0, "trigflow|edm|vp|vp-linear|flow", \
            "whose times are drawn: few list processes"), \
  FEW_DRAW_(S, times, FEW_OPTION_CHOICE, "own", 0, 0, "own|lognormal|uniform|logit-normal", \
            "own: lognormal of trigflow and edm, uniform of vp, vp-linear and flow"), \
  FEW_DRAW_(S, logit_mean, FEW_OPTION_REAL, "0", -20, 20, NULL, \
            "logit-normal: mean of ln(u/(1 - u)), u in (0, 1) the process's time"), \
  FEW_DRAW_(S, logit_std, FEW_OPTION_REAL, "1", 0.01, 20, NULL, "its standard deviation"), \
  FEW_DRAW_(S, logsnr_min, FEW_OPTION_REAL, "-20", -40, 0, NULL, "vp: ln(SNR) at the noisy end"), \
  FEW_DRAW_(S, logsnr_max, FEW_OPTION_REAL, "20", 0, 40, NULL, "vp: and at the clean end"), \
  FEW_DRAW_(S, noise_d, FEW_OPTION_REAL, "0", 0, 4096, NULL, \
            "vp: shift ln(SNR) by 2 ln(noise_d/side), as noisy as images of this side; 0: no"), \
  FEW_DRAW_(S, noise_d_high, FEW_OPTION_REAL, "0", 0, 4096, NULL, \
            "vp: interpolate to the shift of this side at the noisy end; 0: noise_d throughout")
/* clang-format on */

/* Refuses what has no meaning. */
few_status few__draw_check(few_ctx *ctx, const char *name, const struct few_draw_opts *o,
                           const struct few_net_spec *spec);
/* TrigFlow's t of each row, [rows]; of the purpose FEW_RNG_TIME. */
few_node few__draw_time(const struct few_loss *l, const struct few_draw_opts *o);

#endif
