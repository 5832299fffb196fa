/* gradnorm - each loss contributes in proportion to its weight, whatever its scale:
 *
 *   u = sum_i w_i g_i / |g_i| * m,   m = sum_i w_i |g_i| / sum_i w_i.
 *
 * If a loss is multiplied by a constant, the direction of u stays the same. The factor m, the mean
 * norm of the gradients, gives u the length of a usual gradient. See Su Jianlin, "multi-task
 * learning I", kexue.fm 8870: weights 1/|grad L_i|. A loss whose gradient is 0 is left out.
 */
#include <math.h>

#include "balance.h"

static void weigh(int n, const double *gram, const double *given, double *factor) {
  double length = 0, weights = 0;
  for (int i = 0; i < n; i++) {
    length += given[i] * sqrt(gram[i * n + i]);
    weights += given[i];
  }
  for (int i = 0; i < n; i++) {
    const double norm = sqrt(gram[i * n + i]);
    factor[i] = norm > 0 && weights > 0 ? given[i] * length / (weights * norm) : 0;
  }
}

const struct few_balancer few__balancer_gradnorm = {
    .name = "gradnorm",
    .source = "kexue.fm 8870",
    .help = "each weight divided by the norm of its gradient, so that scales of losses cancel",
    .weigh = weigh,
};
