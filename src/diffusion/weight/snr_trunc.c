/* snr-trunc - truncated SNR, max(|x - x^|^2, |eps - eps^|^2) = max(SNR, 1) |x - x^|^2, so that a
 * student learns at SNR 0 too (Salimans and Ho, arXiv 2202.00512, section 4).
 *
 *   w = max(c^2, sigma_d^2 s^2).
 */
#include "weight.h"

static few_node factor(const struct few_weight_at *at) {
  return few_max(at->g, few_square(at->g, at->cos), few_square(at->g, at->noise));
}

const struct few_weight few__weight_snr_trunc = {
    .name = "snr-trunc",
    .source = "Salimans and Ho, arXiv 2202.00512",
    .help = "max(SNR, 1): the larger of the errors of image and noise",
    .factor = factor,
};
