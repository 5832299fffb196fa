/* rng.h - counter-based random numbers: Philox4x32-10 (Salmon et al., SC 2011).
 *
 * A number is a pure function of (seed, purpose, step, row, element), so image 17 of seed 3 is the
 * same image in any batch, on any number of workers, on any device. `row` is the global index of
 * the sample, `step` the training or sampling step, `purpose` names the use (FEW_RNG_...).
 */
#ifndef FEW_SRC_RNG_H
#define FEW_SRC_RNG_H

#include <stdint.h>

#include "few/ext/random.h"

struct few_rng {
  uint64_t seed, step, row; /* step, row < 2^40 */
  uint32_t purpose;         /* < 2^16 */
};

/* Four 32-bit words for block `block` of stream r; element e is word e % 4 of block e / 4. */
void few__rng_block(const struct few_rng *r, uint32_t block, uint32_t out[4]);

/* Uniform in (0, 1): (word + 1/2) / 2^32, exact in double. */
double few__uniform_from_u32(uint32_t u);
/* Standard normal by the inverse CDF. It uses only +, *, / and sqrt on doubles, so it gives the
 * same bits on every IEEE machine. |z| <= 6.34; relative error below 1e-9. */
double few__normal_from_u32(uint32_t u);

/* Elements 0..n-1 of the stream. */
void few__rng_uniform_f32(const struct few_rng *r, int64_t n, float *out);
void few__rng_normal_f32(const struct few_rng *r, int64_t n, float *out);
void few__rng_uniform_f64(const struct few_rng *r, int64_t n, double *out);
void few__rng_normal_f64(const struct few_rng *r, int64_t n, double *out);

/* Position of item i in a pseudo-random permutation of 0..n-1, without storing it (Feistel network
 * with cycle walking). Distinct (seed, epoch) give unrelated permutations. 0 <= i < n < 2^40. */
int64_t few__rng_permute(uint64_t seed, uint64_t epoch, int64_t i, int64_t n);

#endif
