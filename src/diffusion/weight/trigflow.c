/* trigflow - constant on F (Lu and Song, arXiv 2410.11081, section 3): the loss of TrigFlow, of
 * which the learned weight is a refinement.
 *
 *   w = 1.
 */
#include "weight.h"

static few_node factor(const struct few_weight_at *at) {
  return few_fill(at->g, 1, few_node_shape(at->g, at->cos));
}

const struct few_weight few__weight_trigflow = {
    .name = "trigflow",
    .source = "Lu and Song, arXiv 2410.11081",
    .help = "constant on F: every time has the same weight in TrigFlow's units",
    .factor = factor,
};
