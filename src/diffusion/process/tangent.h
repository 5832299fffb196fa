/* tangent.h - the tangent of continuous-time consistency models, element by element in f64.
 *
 * Training builds these lines as a graph (objective/scm.c); tests and few tangent compare with
 * these. All arrays have n elements: x = x_t, F = F(x_t/sigma_d, t), v = dx_t/dt, dF = dF/dt along
 * v, jvp = cos(t) sin(t) sigma_d dF/dt.
 */
#ifndef FEW_SRC_TANGENT_H
#define FEW_SRC_TANGENT_H

#include "base/base.h"

/* df/dt = -cos(t) (sigma_d F - v) - sin(t) (x + sigma_d dF): the derivative itself. */
void few__scm_dfdt(double sigma_d, double t, int64_t n, const double *x, const double *F,
                   const double *v, const double *dF, double *out);

/* g = -cos^2(t) (sigma_d F - v) - r (cos(t) sin(t) x + jvp), as training computes it, with the
 * factor cos(t) sin(t) inside the JVP. r in [0, 1] is the tangent warm-up; at r = 1 it is cos(t)
 * df/dt. */
void few__scm_g(double sigma_d, double t, double r, int64_t n, const double *x, const double *F,
                const double *v, const double *jvp, double *g);

#endif
