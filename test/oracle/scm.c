/* scm.c - equation 6 and the normalisation of Algorithm 1, as in the paper. */
#include "scm.h"

#include <math.h>

void scm_f(double sigma_d, double t, int64_t n, const double *x, const double *F, double *f) {
  for (int64_t i = 0; i < n; i++) f[i] = cos(t) * x[i] - sin(t) * sigma_d * F[i];
}

void scm_normalize(double c, int64_t n, const double *g, double *out) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += g[i] * g[i];
  double scale = 1 / (sqrt(sum) + c);
  for (int64_t i = 0; i < n; i++) out[i] = scale * g[i];
}
