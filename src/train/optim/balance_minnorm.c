/* minnorm - a step along which every loss falls (multiple gradient descent: Desideri 2012; Sener
 * and Koltun, arXiv 1810.04650; Su Jianlin, kexue.fm 8896).
 *
 *   max_u min_i <w_i g_i, u> - |u|^2/2
 *
 * has the dual
 *
 *   min over the simplex of |sum_i a_i w_i g_i|^2,
 *
 * whose solution u = sum_i a_i w_i g_i has <w_i g_i, u> >= |u|^2 for every i: all losses fall, or u
 * is 0 and the point is Pareto stationary. The minimum is found by the Frank-Wolfe method on the
 * Gram matrix: each step goes towards the loss that falls least, to the minimum on that line. For
 * two losses one step is exact.
 */
#include <math.h>

#include "balance.h"

enum { STEPS = 200 };

static double inner(int n, const double *q, const double *a, int i) {
  double sum = 0;
  for (int j = 0; j < n; j++) sum += q[i * n + j] * a[j];
  return sum;
}

static void solve(int n, const double *q, double *a) {
  for (int i = 0; i < n; i++) a[i] = 1.0 / n;
  for (int step = 0; step < STEPS; step++) {
    double uu = 0, least = INFINITY;
    int t = 0;
    for (int i = 0; i < n; i++) {
      const double ui = inner(n, q, a, i);
      uu += a[i] * ui;
      if (ui < least) least = ui, t = i;
    }
    /* min over g in [0, 1] of |(1 - g) u + g g_t|^2 */
    const double bend = uu - 2 * least + q[t * n + t];
    const double g = bend > 0 ? fmin(1, fmax(0, (uu - least) / bend)) : 0;
    if (g == 0) return;
    for (int i = 0; i < n; i++) a[i] *= 1 - g;
    a[t] += g;
  }
}

static void weigh(int n, const double *gram, const double *given, double *factor) {
  double q[FEW_BALANCE_MAX * FEW_BALANCE_MAX] = {0};
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++) q[i * n + j] = given[i] * given[j] * gram[i * n + j];
  solve(n, q, factor);
  for (int i = 0; i < n; i++) factor[i] *= given[i];
}

const struct few_balancer few__balancer_minnorm = {
    .name = "minnorm",
    .source = "arXiv 1810.04650",
    .help = "the shortest convex combination of gradients: every loss falls",
    .weigh = weigh,
};
