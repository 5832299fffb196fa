/* cosine.h - times of the variance-preserving process with the cosine schedule, as TrigFlow's.
 *
 * Salimans and Ho (arXiv 2202.00512): lambda(u) = ln SNR = -2 ln tan(a u + b), u from 0 (clean) to
 * 1 (noise), with a and b such that lambda runs from logsnr_max to logsnr_min. TrigFlow's time of
 * the same noise-to-signal ratio is tan(t) = e^(-lambda/2)/sigma_d = tan(a u + b)/sigma_d.
 */
#ifndef FEW_SRC_COSINE_H
#define FEW_SRC_COSINE_H

#include "base/base.h"

struct few_cosine {
  double a, b;
};
struct few_cosine few__cosine(double logsnr_min, double logsnr_max);
/* t of u, 0 <= u <= 1. */
double few__cosine_time(struct few_cosine c, double sigma_d, double u);

#endif
