/* mixtures.h - exact distributions for the tests of processes and samplers. */
#ifndef FEW_TEST_MIXTURES_H
#define FEW_TEST_MIXTURES_H

#include "oracle/mixture.h"

/* Three narrow components in three dimensions: multimodal at small t. */
static inline struct mixture test_mixture(void) {
  static const double weight[] = {0.3, 0.5, 0.2}, std[] = {0.1, 0.2, 0.14};
  static const double mean[] = {-0.7, 0.3, 0.1, 0.2, -0.4, 0.6, 0.9, 0.2, -0.5};
  return (struct mixture){3, 3, weight, mean, std};
}

/* A single Gaussian, for which every map has a closed form. */
static inline struct mixture test_gaussian(void) {
  static const double weight[] = {1}, std[] = {0.3}, mean[] = {0.4, -0.2};
  return (struct mixture){1, 2, weight, mean, std};
}

/* Returns the size of the posterior's exponents: the factor by which it amplifies a relative error
 * of its inputs. */
static inline double test_exponent(const struct mixture *m, struct few_mix s, const double *x) {
  double worst = 0;
  for (int i = 0; i < m->n; i++) {
    double a = s.x0 * m->std[i], v = a * a + s.eps * s.eps, e = 0;
    for (int k = 0; k < m->dims; k++) {
      double mu = s.x0 * m->mean[i * m->dims + k];
      e += (fabs(x[k]) + fabs(mu)) * (fabs(x[k]) + fabs(mu)) / v;
    }
    worst = fmax(worst, e);
  }
  return 1 + worst;
}

/* Writes x_t of a sample of the mixture, row `row` of a fixed stream, into x. */
static inline void test_state(const struct mixture *m, struct few_mix s, uint64_t row, double *x) {
  double eps[8];
  mixture_sample(m, &(struct few_rng){.seed = 11, .row = row, .purpose = FEW_RNG_TOY}, x);
  few__rng_normal_f64(&(struct few_rng){.seed = 11, .row = row, .purpose = FEW_RNG_NOISE}, m->dims,
                      eps);
  for (int k = 0; k < m->dims; k++) x[k] = s.x0 * x[k] + s.eps * eps[k];
}

#endif
