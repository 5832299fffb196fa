/* rng.c - Philox4x32-10, normals by inverse CDF, permutations by Feistel.
 *
 * Philox: key = seed; counter = (block, row low, step low, purpose | step high | row high).
 * Normals: the inverse of the normal CDF by Wichura, "Algorithm AS 241" (1988), routine PPND16. Its
 * tail needs a logarithm; ours is a series in + and * so that no libm decides the last bit. The
 * file is compiled with contraction off for the same reason.
 */
#include "rng.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static uint32_t mul_hi_lo(uint32_t a, uint32_t b, uint32_t *lo) {
  uint64_t p = (uint64_t)a * b;
  *lo = (uint32_t)p;
  return (uint32_t)(p >> 32);
}

static void philox(uint32_t c[4], uint32_t k0, uint32_t k1) {
  for (int round = 0; round < 10; round++) {
    uint32_t lo0, lo1;
    uint32_t hi0 = mul_hi_lo(0xD2511F53u, c[0], &lo0);
    uint32_t hi1 = mul_hi_lo(0xCD9E8D57u, c[2], &lo1);
    uint32_t n0 = hi1 ^ c[1] ^ k0, n2 = hi0 ^ c[3] ^ k1;
    c[0] = n0;
    c[1] = lo1;
    c[2] = n2;
    c[3] = lo0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
}

void few__rng_block(const struct few_rng *r, uint32_t block, uint32_t out[4]) {
  assert(r->step >> 40 == 0 && r->row >> 40 == 0 && r->purpose >> 16 == 0);
  out[0] = block;
  out[1] = (uint32_t)r->row;
  out[2] = (uint32_t)r->step;
  out[3] = r->purpose << 16 | (uint32_t)(r->step >> 32) << 8 | (uint32_t)(r->row >> 32);
  philox(out, (uint32_t)r->seed, (uint32_t)(r->seed >> 32));
}

double few__uniform_from_u32(uint32_t u) { return ((double)u + 0.5) * 0x1p-32; }

/* ln x for normal positive x: x = m 2^e with m in [sqrt(1/2), sqrt 2); ln m = 2 atanh((m-1)/(m+1)).
 */
static double exact_log(double x) {
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

static double poly7(const double c[8], double x) {
  double y = c[7];
  for (int i = 6; i >= 0; i--) y = y * x + c[i];
  return y;
}

double few__normal_from_u32(uint32_t u) {
  static const double a[] = {3.3871328727963666080e0, 1.3314166789178437745e2,
                             1.9715909503065514427e3, 1.3731693765509461125e4,
                             4.5921953931549871457e4, 6.7265770927008700853e4,
                             3.3430575583588128105e4, 2.5090809287301226727e3};
  static const double b[] = {1.0,
                             4.2313330701600911252e1,
                             6.8718700749205790830e2,
                             5.3941960214247511077e3,
                             2.1213794301586595867e4,
                             3.9307895800092710610e4,
                             2.8729085735721942674e4,
                             5.2264952788528545610e3};
  static const double c[] = {1.42343711074968357734e0,  4.63033784615654529590e0,
                             5.76949722146069140550e0,  3.64784832476320460504e0,
                             1.27045825245236838258e0,  2.41780725177450611770e-1,
                             2.27238449892691845833e-2, 7.74545014278341407640e-4};
  static const double d[] = {1.0,
                             2.05319162663775882187e0,
                             1.67638483018380384940e0,
                             6.89767334985100004550e-1,
                             1.48103976427480074590e-1,
                             1.51986665636164571966e-2,
                             5.47593808499534494600e-4,
                             1.05075007164441684324e-9};
  static const double f[] = {6.65790464350110377720e0,  5.46378491116411436990e0,
                             1.78482653991729133580e0,  2.96560571828504891230e-1,
                             2.65321895265761230930e-2, 1.24266094738807843860e-3,
                             2.71155556874348757815e-5, 2.01033439929228813265e-7};
  static const double g[] = {1.0,
                             5.99832206555887937690e-1,
                             1.36929880922735805310e-1,
                             1.48753612908506148525e-2,
                             7.86869131145613259100e-4,
                             1.84631831751005468180e-5,
                             1.42151175831644588870e-7,
                             2.04426310338993978564e-15};
  double p = few__uniform_from_u32(u), q = p - 0.5;
  if (fabs(q) <= 0.425) {
    double r = 0.180625 - q * q;
    return q * poly7(a, r) / poly7(b, r);
  }
  double r = sqrt(-exact_log(q < 0 ? p : 1 - p));
  double z = r <= 5 ? poly7(c, r - 1.6) / poly7(d, r - 1.6) : poly7(f, r - 5) / poly7(g, r - 5);
  return q < 0 ? -z : z;
}

/* One loop for all four fillers: `convert` maps a word, the macro the storage type. */
#define FILL(name, type, convert)                              \
  void name(const struct few_rng *r, int64_t n, type *out) {   \
    uint32_t w[4];                                             \
    for (int64_t i = 0; i < n; i++) {                          \
      if (i % 4 == 0) few__rng_block(r, (uint32_t)(i / 4), w); \
      out[i] = (type)convert(w[i % 4]);                        \
    }                                                          \
  }
FILL(few__rng_uniform_f32, float, few__uniform_from_u32)
FILL(few__rng_normal_f32, float, few__normal_from_u32)
FILL(few__rng_uniform_f64, double, few__uniform_from_u32)
FILL(few__rng_normal_f64, double, few__normal_from_u32)

int64_t few__rng_permute(uint64_t seed, uint64_t epoch, int64_t i, int64_t n) {
  assert(0 <= i && i < n);
  int half = 1; /* Feistel on 2*half bits, the smallest even width that covers n */
  while (half < 20 && ((int64_t)1 << (2 * half)) < n) half++;
  uint32_t mask = ((uint32_t)1 << half) - 1;
  struct few_rng r = {.seed = seed, .step = epoch, .purpose = FEW_RNG_SHUFFLE};
  do { /* walk the cycle until it is back inside 0..n-1: fewer than 4 rounds on average */
    uint32_t left = (uint32_t)(i >> half), right = (uint32_t)i & mask;
    for (uint32_t round = 0; round < 6; round++) {
      uint32_t w[4];
      r.row = right;
      few__rng_block(&r, round, w);
      uint32_t next = (left ^ w[0]) & mask;
      left = right;
      right = next;
    }
    i = (int64_t)left << half | right;
  } while (i >= n);
  return i;
}
