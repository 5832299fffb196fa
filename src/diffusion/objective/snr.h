/* snr.h - times and losses of progressive and guided distillation: times of the cosine process, and
 * losses weighted by their signal-to-noise ratio (Salimans and Ho, arXiv 2202.00512, section 4).
 *
 * The papers' process is alpha_u x0 + sigma_u eps with lambda(u) = ln(alpha^2/sigma^2)
 * (process/vp.h). Only its times and ratios are used here. The state is TrigFlow's of the same
 * ratio.
 */
#ifndef FEW_SRC_SNR_H
#define FEW_SRC_SNR_H

#include "objective.h"

struct few_snr_opts {
  double logsnr_min, logsnr_max;
  char weight[16];
  double gamma;
};
/* clang-format off */
#define FEW_SNR_(S, field, type, deflt, min, max, choices, help) \
  FEW_OPT_IN(S, snr, field, type, deflt, min, max, choices, help)
#define FEW_SNR_OPTIONS(S) \
  FEW_SNR_(S, logsnr_min, FEW_OPTION_REAL, "-20", -24, 0, NULL, \
       "ln(SNR) at the noisy end, u = 1"), \
  FEW_SNR_(S, logsnr_max, FEW_OPTION_REAL, "20", 1, 24, NULL, "ln(SNR) at the clean end, u = 0"), \
  FEW_SNR_(S, weight, FEW_OPTION_STRING, "snr-trunc", 0, 0, NULL, \
           "weight of each time: see few list weights"), \
  FEW_SNR_(S, gamma, FEW_OPTION_REAL, "5", 1e-6, 1e6, NULL, "min-snr: the limit of SNR")
/* clang-format on */

/* FEW_E_INVALID for an unknown weight. */
few_status few__snr_check(few_ctx *ctx, const char *name, const struct few_snr_opts *o);
/* TrigFlow's time of u [rows], 0 <= u <= 1. */
few_node few__snr_time(const struct few_loss *l, const struct few_snr_opts *o, few_node u);
/* Adds the weighted squared error of F at time t. No gradient passes to the target. */
void few__snr_add(struct few_loss *l, const struct few_snr_opts *o, few_node t, few_node F,
                  few_node target, const char *name, double weight);

#endif
