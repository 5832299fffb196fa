/* fixed - the losses with the weights of the recipe: u = sum_i w_i g_i. */
#include "balance.h"

const struct few_balancer few__balancer_fixed = {
    .name = "fixed",
    .source = "",
    .help = "the weights that the recipe gives",
};
