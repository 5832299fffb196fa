/* snr+1 - |v - v^|^2 = (SNR + 1) |x - x^|^2 of a variance-preserving process (Salimans and Ho,
 * arXiv 2202.00512, section 4).
 *
 *   w = c^2 + sigma_d^2 s^2.
 */
#include "weight.h"

static few_node factor(const struct few_weight_at *at) {
  return few_add(at->g, few_square(at->g, at->cos), few_square(at->g, at->noise));
}

const struct few_weight few__weight_snr_plus_1 = {
    .name = "snr+1",
    .source = "Salimans and Ho, arXiv 2202.00512",
    .help = "SNR + 1: constant on v",
    .factor = factor,
};
