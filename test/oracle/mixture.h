/* mixture.h - Gaussian mixtures, a data distribution for which diffusion has exact solutions.
 *
 * With isotropic components N(mean_i, std_i^2 I) of weight w_i, x_t = alpha x0 + sigma eps is a
 * mixture too, and every expectation that a network learns has a closed form. Tests
 * compare conversions, samplers and objectives with these, and use them as exact teachers.
 */
#ifndef FEW_TEST_MIXTURE_H
#define FEW_TEST_MIXTURE_H

#include "base/rng.h"
#include "diffusion/process/process.h"

/* Borrowed arrays; weights are positive and sum to 1, std >= 0. */
struct mixture {
  int n, dims;
  const double *weight, *mean, *std; /* [n], [n x dims], [n] */
};

/* Arguments of the next functions: `state` is (alpha, sigma), where sigma > 0 or all std > 0; `x`
 * is x_t, [dims]. */

/* ln p(x_t). */
double mixture_logp(const struct mixture *m, struct few_mix state, const double *x);
/* Posterior weights of the components given x_t; r[n], of sum 1. */
void mixture_posterior(const struct mixture *m, struct few_mix state, const double *x, double *r);
/* E[q.x0 x0 + q.eps eps | x_t]: (1, 0) is the denoised image, (0, 1) the noise, and
 * few__predict_mix gives what any network should predict. */
void mixture_expect(const struct mixture *m, struct few_mix state, struct few_mix q,
                    const double *x, double *out);
/* Gradient of ln p(x_t); sigma > 0. */
void mixture_score(const struct mixture *m, struct few_mix state, const double *x, double *out);

/* TrigFlow's exact F(x_t, t); sigma_d F is the velocity of the probability-flow ODE. */
void mixture_F(const struct mixture *m, double sigma_d, double t, const double *x, double *F);
/* Integrates x along TrigFlow's probability-flow ODE from t0 to t1, each step to `tol`. With t1 = 0
 * it is the exact consistency function f(x, t0). */
few_status mixture_map(few_ctx *ctx, const struct mixture *m, double sigma_d, double t0, double t1,
                       double tol, double *x);

/* Draws x0. Element 0 of the stream chooses the component; elements 1..dims are its normal
 * numbers. */
void mixture_sample(const struct mixture *m, const struct few_rng *r, double *x);

#endif
