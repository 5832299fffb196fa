/* ema.c - moving averages of parameters.
 *
 * The power-function average of EDM2 (Karras et al., arXiv 2312.02696, section 3) after t images is
 *
 *   theta_gamma(t) = (gamma + 1)/t^(gamma+1) * int_0^t tau^gamma theta(tau) dtau,
 *
 * It is computed by theta_gamma = beta theta_gamma + (1 - beta) theta at each step, with
 * beta = (1 - batch/t)^(gamma+1). The profile scales with t, so its width is given relative to t:
 * sigma_rel = sqrt((gamma+1) / ((gamma+2)^2 (gamma+3))). In the first step beta is 0, so the
 * initial weights do not count.
 *
 * Averages with profiles p_i, stored during a run, can be combined into others afterwards. The
 * combination nearest to a target profile solves A x = b with A_ij = <p_i, p_j> and
 * b_i = <p_i, target>; the inner products have closed forms.
 */
#include "ema.h"

#include <math.h>

void few__ema_update(double beta, int64_t n, float *restrict ema, const float *restrict p) {
  assert(beta >= 0 && beta <= 1);
  const float fresh = (float)(1 - beta);
  for (int64_t i = 0; i < n; i++) ema[i] += fresh * (p[i] - ema[i]);
}

double few__ema_beta_half_life(double half_life, double ramp, double seen, double batch) {
  if (ramp > 0 && ramp * seen < half_life) half_life = ramp * seen;
  return half_life > 0 ? exp2(-batch / half_life) : 0;
}

double few__ema_sigma_rel(double gamma) { return sqrt((gamma + 1) / (gamma + 3)) / (gamma + 2); }

/* The largest root of h(g) = (g+2)^2 (g+3) - (g+1)/sigma_rel^2. Newton's method starts at
 * g = 1/sigma_rel, where h is positive. To the right of the root h is convex and rising, so the
 * iterates fall to the root without overshooting. */
double few__ema_gamma(double sigma_rel) {
  assert(sigma_rel > 0 && sigma_rel <= few__ema_sigma_rel(0));
  double k = 1 / (sigma_rel * sigma_rel), g = 1 / sigma_rel;
  for (int i = 0; i < 64; i++) {
    double h = (g + 2) * (g + 2) * (g + 3) - (g + 1) * k;
    double slope = (g + 2) * (3 * g + 8) - k;
    double next = g - h / slope;
    if (!(next < g)) break; /* monotone until rounding stops it */
    g = next;
  }
  return g > 0 ? g : 0;
}

double few__ema_beta_power(double gamma, double seen, double batch) {
  assert(seen > 0 && batch > 0 && batch <= seen);
  return pow(1 - batch / seen, gamma + 1);
}

double few__ema_dot(struct few_ema_profile a, struct few_ema_profile b) {
  double exponent = a.seen < b.seen ? b.gamma : -a.gamma;
  double end = a.seen > b.seen ? a.seen : b.seen;
  return (a.gamma + 1) * (b.gamma + 1) * pow(a.seen / b.seen, exponent) /
         ((a.gamma + b.gamma + 1) * end);
}

/* Solves the n x n system a x = b by elimination with row pivoting; a and b are overwritten. */
static few_status solve(few_ctx *ctx, int n, double *a, double *b) {
  for (int k = 0; k < n; k++) {
    int pivot = k;
    for (int i = k + 1; i < n; i++)
      if (fabs(a[i * n + k]) > fabs(a[pivot * n + k])) pivot = i;
    if (!(fabs(a[pivot * n + k]) > 1e-13))
      return few__fail(ctx, FEW_E_INVALID,
                       "two stored EMA profiles are (nearly) the same; leave one of them out");
    for (int j = 0; j < n && pivot != k; j++) {
      double t = a[k * n + j];
      a[k * n + j] = a[pivot * n + j];
      a[pivot * n + j] = t;
    }
    double t = b[k];
    b[k] = b[pivot];
    b[pivot] = t;
    for (int i = k + 1; i < n; i++) {
      double f = a[i * n + k] / a[k * n + k];
      for (int j = k; j < n; j++) a[i * n + j] -= f * a[k * n + j];
      b[i] -= f * b[k];
    }
  }
  for (int k = n - 1; k >= 0; k--) {
    for (int j = k + 1; j < n; j++) b[k] -= a[k * n + j] * b[j];
    b[k] /= a[k * n + k];
  }
  return FEW_OK;
}

few_status few__ema_posthoc(few_ctx *ctx, int n, const struct few_ema_profile *stored,
                            struct few_ema_profile target, double *x) {
  assert(n >= 1);
  double *a = NULL;
  FEW_TRY(FEW_NEW(ctx, &a, n * n));
  /* Scale profiles to unit length, so that pivots can be compared with 1. */
  for (int i = 0; i < n; i++) {
    double li = sqrt(few__ema_dot(stored[i], stored[i]));
    for (int j = 0; j < n; j++)
      a[i * n + j] =
          few__ema_dot(stored[i], stored[j]) / (li * sqrt(few__ema_dot(stored[j], stored[j])));
    x[i] = few__ema_dot(stored[i], target) / li;
  }
  few_status st = solve(ctx, n, a, x);
  few__free(ctx, a);
  if (st) return st;
  double sum = 0;
  for (int i = 0; i < n; i++) sum += x[i] /= sqrt(few__ema_dot(stored[i], stored[i]));
  for (int i = 0; i < n; i++) x[i] /= sum;
  return FEW_OK;
}
