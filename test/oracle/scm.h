/* scm.h - formulas of sCM (Lu and Song, arXiv 2410.11081) that only tests evaluate in f64. The
 * others are in diffusion/process/tangent.h. */
#ifndef FEW_TEST_SCM_H
#define FEW_TEST_SCM_H

#include "diffusion/process/tangent.h"

/* f(x_t, t) = cos(t) x - sin(t) sigma_d F. */
void scm_f(double sigma_d, double t, int64_t n, const double *x, const double *F, double *f);

/* g / (|g| + c), |.| the plain L2 norm over all n elements; g may be out. */
void scm_normalize(double c, int64_t n, const double *g, double *out);

#endif
