/* tangent.c - Lu and Song, arXiv 2410.11081, eq. 6 and Algorithm 1, as printed in the paper. */
#include "tangent.h"

#include <math.h>

void few__scm_dfdt(double sigma_d, double t, int64_t n, const double *x, const double *F,
                   const double *v, const double *dF, double *out) {
  for (int64_t i = 0; i < n; i++)
    out[i] = -cos(t) * (sigma_d * F[i] - v[i]) - sin(t) * (x[i] + sigma_d * dF[i]);
}

void few__scm_g(double sigma_d, double t, double r, int64_t n, const double *x, const double *F,
                const double *v, const double *jvp, double *g) {
  double c = cos(t), s = sin(t);
  for (int64_t i = 0; i < n; i++)
    g[i] = -c * c * (sigma_d * F[i] - v[i]) - r * (c * s * x[i] + jvp[i]);
}
