/* radam.c - Rectified Adam (Liu et al., ICLR 2020, Algorithm 2).
 *
 * In early steps v averages so few gradients that 1/sqrt(v) has a huge variance. RAdam computes the
 * length of the simple moving average to which v is comparable,
 *
 *   rho_inf = 2 / (1 - beta2) - 1,   rho_k = rho_inf - 2 k beta2^k / (1 - beta2^k),
 *
 * takes plain momentum steps  p -= lr m / (1 - beta1^k)  while rho_k is small, and then
 *
 *   p -= lr r_k (m / (1 - beta1^k)) sqrt(1 - beta2^k) / (sqrt(v) + eps),
 *   r_k = sqrt( (rho_k - 4)(rho_k - 2) rho_inf / ((rho_inf - 4)(rho_inf - 2) rho_k) ).
 *
 * "Small" is rho_k <= 4 in the paper (where r_k becomes imaginary) and about 5 in its authors' code
 * and in PyTorch, "more conservative since it's an approximated value". The published few-step
 * results were trained with the latter, so the default of `rectify_above` is 5; 4 follows the
 * paper. The paper has no eps; here it stands where PyTorch has it.
 */
#include <math.h>

#include "moments.h"

static void prepare(const struct few_optim_opts *o, int64_t step, double lr, double grad_scale,
                    struct few_moments_coef *out) {
  assert(step >= 1 && o->rectify_above >= 4);
  few__moments_prepare(o, lr, grad_scale, out);
  double k = (double)step, b2k = pow(o->beta2, k);
  double rho_inf = 2 / (1 - o->beta2) - 1;
  double rho = rho_inf - 2 * k * b2k / (1 - b2k);
  double rate = lr / (1 - pow(o->beta1, k));
  out->adaptive = rho > o->rectify_above;
  if (out->adaptive) {
    double r = (rho - 4) * (rho - 2) * rho_inf / ((rho_inf - 4) * (rho_inf - 2) * rho);
    rate *= sqrt(r) * sqrt(1 - b2k);
  }
  out->rate = (float)rate;
}

const struct few_optim few__optim_radam = {
    .name = "radam",
    .source = "Liu et al., arXiv 1908.03265",
    .help = "Adam that takes plain momentum steps until the second moment is reliable",
    .states = 2,
    .moments = true,
    .state_names = {"m", "v"},
    .prepare = prepare,
    .update = few__moments_update,
};
