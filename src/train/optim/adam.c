/* adam.c - Adam (Kingma and Ba, 2015), with decoupled weight decay (Loshchilov and Hutter, 2019).
 *
 *   p -= lr (m / (1 - beta1^k)) / (sqrt(v / (1 - beta2^k)) + eps),   k = 1, 2, ...
 */
#include <math.h>

#include "moments.h"

static void prepare(const struct few_optim_opts *o, int64_t step, double lr, double grad_scale,
                    struct few_moments_coef *out) {
  assert(step >= 1);
  few__moments_prepare(o, lr, grad_scale, out);
  out->rate = (float)(lr / (1 - pow(o->beta1, (double)step)));
  out->root_scale = (float)(1 / sqrt(1 - pow(o->beta2, (double)step)));
}

const struct few_optim few__optim_adam = {
    .name = "adam",
    .source = "Kingma and Ba, arXiv 1412.6980; weight decay as in AdamW, arXiv 1711.05101",
    .help =
        "moving average of the gradient, divided by the root of the moving average of its square",
    .states = 2,
    .moments = true,
    .state_names = {"m", "v"},
    .prepare = prepare,
    .update = few__moments_update,
};
