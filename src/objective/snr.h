/* snr.h - what progressive and guided distillation share: times of the cosine process, and losses
 * weighted by the signal-to-noise ratio there (Salimans and Ho, arXiv 2202.00512, section 4).
 *
 * Their process is alpha_u x0 + sigma_u eps with lambda(u) = ln(alpha^2/sigma^2)
 * (process/cosine.h). Times and ratios are all that is taken from it: the state is TrigFlow's at
 * the same ratio.
 */
#ifndef FEW_SRC_SNR_H
#define FEW_SRC_SNR_H

#include "objective.h"

struct few_snr_opts {
  double logsnr_min, logsnr_max;
  int weighting;
};
#define FEW_SNR_(S, field, type, deflt, min, max, choices, help)                                 \
  {                                                                                              \
#field, type, offsetof(S, snr.field), sizeof(((S *)0)->snr.field), deflt, min, max, choices, \
        help                                                                                     \
  }
/* clang-format off */
#define FEW_SNR_OPTIONS(S) \
  FEW_SNR_(S, logsnr_min, FEW_OPTION_REAL, "-20", -24, 0, NULL, "ln SNR of the noisy end, u = 1"), \
  FEW_SNR_(S, logsnr_max, FEW_OPTION_REAL, "20", 1, 24, NULL, "ln SNR of the clean end, u = 0"), \
  FEW_SNR_(S, weighting, FEW_OPTION_CHOICE, "truncated", 0, 0, "truncated|snr_plus_one|snr|constant", \
           "of |x - x^|^2: max(SNR, 1), SNR + 1, SNR, 1")
/* clang-format on */

/* TrigFlow's time of u [rows], 0 <= u <= 1. */
few_node few__snr_time(const struct few_loss *l, const struct few_snr_opts *o, few_node u);
/* Add the weighted loss of F at the state d against a target, of which no gradient is taken. */
void few__snr_add(struct few_loss *l, const struct few_snr_opts *o, const struct few_trig_draw *d,
                  few_node F, few_node target, const char *name, double weight);

#endif
