/* min-snr - min(SNR, gamma) |x - x^|^2 (Hang et al., arXiv 2303.09556, eq. 8; gamma = 5).
 *
 *   w = min(c^2, gamma sigma_d^2 s^2).
 */
#include "weight.h"

static few_node factor(const struct few_weight_at *at) {
  few_node most = few_scale(at->g, few_square(at->g, at->noise), at->gamma);
  return few_min(at->g, few_square(at->g, at->cos), most);
}

const struct few_weight few__weight_min_snr = {
    .name = "min-snr",
    .source = "Hang et al., arXiv 2303.09556",
    .help = "min(SNR, gamma), a limit on the weight of times with little noise; key gamma",
    .factor = factor,
};
