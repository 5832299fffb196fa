/* primary - the first loss counts; the step may not increase the others (Su Jianlin,
 * kexue.fm 8907):
 *
 *   max_u <u, g_0> - |u|^2/2   with <u, g_i> >= 0   has the dual   min over l >= 0 of
 *   |g_0 + sum_i l_i g_i|^2,   u = g_0 + sum_i l_i g_i.
 *
 * With one auxiliary loss l = max(0, -<g_0, g_1>)/|g_1|^2: it only takes out what conflicts with
 * it, and without conflict u is g_0. In general by coordinate descent, which for a convex quadratic
 * on an orthant ends at the minimum. Only directions of the others count, so their weights do not.
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
    .help = "the first loss, plus as much of the others as keeps it from raising them",
    .weigh = weigh,
};
