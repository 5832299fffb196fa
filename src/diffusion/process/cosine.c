/* cosine.c - see cosine.h. */
#include "cosine.h"

#include <math.h>

struct few_cosine few__cosine(double logsnr_min, double logsnr_max) {
  const double b = atan(exp(-logsnr_max / 2));
  return (struct few_cosine){atan(exp(-logsnr_min / 2)) - b, b};
}

double few__cosine_time(struct few_cosine c, double sigma_d, double u) {
  const double angle = c.a * u + c.b;
  return atan2(sin(angle), sigma_d * cos(angle));
}
