/* edm - lambda(sigma) |x - x^|^2, lambda = (sigma^2 + sigma_d^2)/(sigma sigma_d)^2, chosen so that
 * the raw network's error has the same weight at every sigma (Karras et al., arXiv 2206.00364,
 * table 1).
 *
 * With sigma = sigma_d tan t, lambda = (sigma_d/c)^2/(sigma_d^4 tan^2 t) = 1/(sigma_d s)^2, and so
 *
 *   w = 1:
 *
 * EDM's loss is TrigFlow's; their recipes differ in the training times.
 */
#include "weight.h"

static few_node factor(const struct few_weight_at *at) {
  return few_fill(at->g, 1, few_node_shape(at->g, at->cos));
}

const struct few_weight few__weight_edm = {
    .name = "edm",
    .source = "Karras et al., arXiv 2206.00364",
    .help = "(sigma^2 + sigma_d^2)/(sigma sigma_d)^2: constant on EDM's raw network",
    .factor = factor,
};
