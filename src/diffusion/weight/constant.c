/* constant - the unweighted error of the denoised image, |x - x^|^2.
 *
 *   w = sigma_d^2 s^2.
 */
#include "weight.h"

static few_node factor(const struct few_weight_at *at) { return few_square(at->g, at->noise); }

const struct few_weight few__weight_constant = {
    .name = "constant",
    .source = "Salimans and Ho, arXiv 2202.00512",
    .help = "constant on the denoised image, |x - x^|^2",
    .factor = factor,
};
