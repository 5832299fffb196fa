/* primary - the step is chosen for the first loss, and may not increase the others (Su Jianlin,
 * kexue.fm 8907):
 *
 *   max_u <u, g_0> - |u|^2/2   with <u, g_i> >= 0   has the dual   min over l >= 0 of
 *   |g_0 + sum_i l_i g_i|^2,   u = g_0 + sum_i l_i g_i.
 *
 * With one auxiliary loss, l = max(0, -<g_0, g_1>)/|g_1|^2: u is g_0 without the component that
 * conflicts with g_1; if there is no conflict, u = g_0. With more losses, coordinate descent finds
 * l, which converges to the minimum of a convex quadratic on an orthant. Only the directions of the
 * auxiliary gradients matter, so the weights of these losses have no effect.
 */
#include <math.h>

#include "balance.h"

enum { SWEEPS = 200 };

static void weigh(int n, const double *gram, const double *given, double *factor) {
  for (int i = 0; i < n; i++) factor[i] = i == 0 ? given[0] : 0;
  for (int sweep = 0; sweep < SWEEPS; sweep++) {
    double moved = 0;
    for (int i = 1; i < n; i++) {
      const double own = gram[i * n + i];
      double along = 0;
      for (int j = 0; j < n; j++) along += gram[i * n + j] * factor[j];
      if (!(own > 0)) continue;
      const double next = fmax(0, factor[i] - along / own);
      moved = fmax(moved, fabs(next - factor[i]) * sqrt(own));
      factor[i] = next;
    }
    if (moved <= 1e-14 * sqrt(gram[0])) return;
  }
}

const struct few_balancer few__balancer_primary = {
    .name = "primary",
    .source = "kexue.fm 8907",
    .help = "the first loss, plus just enough of the others that the step raises none of them",
    .weigh = weigh,
};
