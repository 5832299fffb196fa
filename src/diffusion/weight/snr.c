/* snr - |eps - eps^|^2 = SNR |x - x^|^2, the simple loss of DDPM (Ho et al., arXiv 2006.11239).
 *
 *   w = SNR sigma_d^2 s^2 = c^2.
 */
#include "weight.h"

static few_node factor(const struct few_weight_at *at) { return few_square(at->g, at->cos); }

const struct few_weight few__weight_snr = {
    .name = "snr",
    .source = "Ho et al., arXiv 2006.11239",
    .help = "the signal-to-noise ratio: constant on eps, the simple loss of DDPM",
    .factor = factor,
};
