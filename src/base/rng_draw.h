/* rng_draw.h - the arithmetic of a block of Philox4x32-10, and of a number from one of its words.
 * Both rng.c and the compilers of devices read this file; FEW_RNG_FUNCTION declares the functions
 * for them.
 *
 * Philox: key = seed; counter = (block, row low, step low, purpose | step high | row high).
 * Normals: the inverse of the normal CDF by Wichura, "Algorithm AS 241" (1988), routine PPND16. Its
 * tail needs a logarithm, which is computed here by a series in + and *, so that the last bit does
 * not depend on a libm. For the same reason, files that include this must be compiled without
 * contraction (fused multiply-adds).
 */
#ifndef FEW_SRC_RNG_DRAW_H
#define FEW_SRC_RNG_DRAW_H

#include <math.h>
#include <string.h>

#include "rng.h"

#ifndef FEW_RNG_FUNCTION
#define FEW_RNG_FUNCTION static inline
#endif

FEW_RNG_FUNCTION uint32_t few__draw_multiply(uint32_t a, uint32_t b, uint32_t *lo) {
  uint64_t p = (uint64_t)a * b;
  *lo = (uint32_t)p;
  return (uint32_t)(p >> 32);
}

FEW_RNG_FUNCTION void few__draw_philox(uint32_t c[4], uint32_t k0, uint32_t k1) {
  for (int round = 0; round < 10; round++) {
    uint32_t lo0, lo1;
    uint32_t hi0 = few__draw_multiply(0xD2511F53u, c[0], &lo0);
    uint32_t hi1 = few__draw_multiply(0xCD9E8D57u, c[2], &lo1);
    uint32_t n0 = hi1 ^ c[1] ^ k0, n2 = hi0 ^ c[3] ^ k1;
    c[0] = n0;
    c[1] = lo1;
    c[2] = n2;
    c[3] = lo0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
}

FEW_RNG_FUNCTION void few__draw_block(const struct few_rng *r, uint32_t block, uint32_t out[4]) {
  out[0] = block;
  out[1] = (uint32_t)r->row;
  out[2] = (uint32_t)r->step;
  out[3] = r->purpose << 16 | (uint32_t)(r->step >> 32) << 8 | (uint32_t)(r->row >> 32);
  few__draw_philox(out, (uint32_t)r->seed, (uint32_t)(r->seed >> 32));
}

FEW_RNG_FUNCTION double few__draw_uniform(uint32_t u) { return ((double)u + 0.5) * 0x1p-32; }

/* ln x for normal positive x: x = m 2^e with m in [sqrt(1/2), sqrt 2); ln m = 2 atanh((m-1)/(m+1)).
 */
FEW_RNG_FUNCTION double few__draw_log(double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  int e = (int)(bits >> 52) - 1023;
  bits = (bits & 0x000fffffffffffffull) | 0x3ff0000000000000ull;
  double m;
  memcpy(&m, &bits, sizeof m);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    e++;
  }
  double s = (m - 1) / (m + 1), s2 = s * s, sum = 0;
  for (int k = 21; k >= 1; k -= 2) sum = sum * s2 + 1.0 / k;
  return 2 * s * sum + e * 0.6931471805599453;
}

FEW_RNG_FUNCTION double few__draw_poly7(const double c[8], double x) {
  double y = c[7];
  for (int i = 6; i >= 0; i--) y = y * x + c[i];
  return y;
}

FEW_RNG_FUNCTION double few__draw_normal(uint32_t u) {
  const double a[] = {3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3,
                      1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
                      3.3430575583588128105e4, 2.5090809287301226727e3};
  const double b[] = {1.0,
                      4.2313330701600911252e1,
                      6.8718700749205790830e2,
                      5.3941960214247511077e3,
                      2.1213794301586595867e4,
                      3.9307895800092710610e4,
                      2.8729085735721942674e4,
                      5.2264952788528545610e3};
  const double c[] = {1.42343711074968357734e0,  4.63033784615654529590e0,
                      5.76949722146069140550e0,  3.64784832476320460504e0,
                      1.27045825245236838258e0,  2.41780725177450611770e-1,
                      2.27238449892691845833e-2, 7.74545014278341407640e-4};
  const double d[] = {1.0,
                      2.05319162663775882187e0,
                      1.67638483018380384940e0,
                      6.89767334985100004550e-1,
                      1.48103976427480074590e-1,
                      1.51986665636164571966e-2,
                      5.47593808499534494600e-4,
                      1.05075007164441684324e-9};
  const double f[] = {6.65790464350110377720e0,  5.46378491116411436990e0,
                      1.78482653991729133580e0,  2.96560571828504891230e-1,
                      2.65321895265761230930e-2, 1.24266094738807843860e-3,
                      2.71155556874348757815e-5, 2.01033439929228813265e-7};
  const double g[] = {1.0,
                      5.99832206555887937690e-1,
                      1.36929880922735805310e-1,
                      1.48753612908506148525e-2,
                      7.86869131145613259100e-4,
                      1.84631831751005468180e-5,
                      1.42151175831644588870e-7,
                      2.04426310338993978564e-15};
  double p = few__draw_uniform(u), q = p - 0.5;
  if (fabs(q) <= 0.425) {
    double r = 0.180625 - q * q;
    return q * few__draw_poly7(a, r) / few__draw_poly7(b, r);
  }
  double r = sqrt(-few__draw_log(q < 0 ? p : 1 - p));
  double z = r <= 5 ? few__draw_poly7(c, r - 1.6) / few__draw_poly7(d, r - 1.6)
                    : few__draw_poly7(f, r - 5) / few__draw_poly7(g, r - 5);
  return q < 0 ? -z : z;
}

#endif
