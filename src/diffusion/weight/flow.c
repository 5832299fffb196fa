/* flow - |v - v^|^2 of flow matching, v = eps - x0 (Lipman et al., arXiv 2210.02747; Liu et al.,
 * arXiv 2209.03003). At y = (1 - u) x0 + u eps the error of v is that of x divided by -u, with u =
 * sigma_d s/(c + sigma_d s), so lambda = 1/u^2 and
 *
 *   w = (c + sigma_d s)^2.
 */
#include "weight.h"

static few_node factor(const struct few_weight_at *at) {
  return few_square(at->g, few_add(at->g, at->cos, at->noise));
}

const struct few_weight few__weight_flow = {
    .name = "flow",
    .source = "Liu et al., arXiv 2209.03003",
    .help = "constant on the velocity eps - x0 of flow matching",
    .factor = factor,
};
