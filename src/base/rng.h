/* rng.h - counter-based random numbers: Philox4x32-10 (Salmon et al., SC 2011).
 *
 * A number is a pure function of (seed, purpose, step, row, element), so image 17 of seed 3 is the
 * same image in any batch, on any number of workers, on any device. `row` is the global index of
 * the sample, `step` the training or sampling step, `purpose` names the use (FEW_RNG_...).
 */
#ifndef FEW_SRC_RNG_H
#define FEW_SRC_RNG_H

#include <stdint.h>

/* Purposes. A new use gets a new number; numbers are never reused, so old runs stay reproducible.
 */
enum few_rng_purpose {
  FEW_RNG_INIT = 1,            /* parameter initialisation */
  FEW_RNG_SHUFFLE = 2,         /* order of the data */
  FEW_RNG_TIME = 3,            /* t of a training row */
  FEW_RNG_NOISE = 4,           /* z of a training row */
  FEW_RNG_LABEL_DROP = 5,      /* classifier-free label dropout */
  FEW_RNG_GUIDANCE = 6,        /* guidance scale of a row */
  FEW_RNG_AUGMENT = 7,         /* flips */
  FEW_RNG_SAMPLE = 8,          /* a sampler's starting noise and fresh noise */
  FEW_RNG_CLASS = 9,           /* labels drawn for sampling */
  FEW_RNG_TOY = 10,            /* points of a 2-D toy */
  FEW_RNG_CHECK = 11,          /* directions of the derivative checker, test data */
  FEW_RNG_BOOTSTRAP = 12,      /* resampling for error bars */
  FEW_RNG_GENERATOR = 20,      /* noise that a generator's images are made of */
  FEW_RNG_GENERATOR_MID = 21,  /* fresh noise of its second step */
  FEW_RNG_GENERATOR_PICK = 22, /* does a row have a second step? */
  FEW_RNG_NOISE_REAL = 23,     /* z of the data beside a generator's images */
  FEW_RNG_STEP_SIZE = 30,      /* how far a training row's step goes, or whether it is one */
  FEW_RNG_STEP_TIME = 31,      /* where it begins on its grid, or ends */
  FEW_RNG_DROPOUT = 256        /* + index of the dropout layer */
};

struct few_rng {
  uint64_t seed, step, row; /* step, row < 2^40 */
  uint32_t purpose;         /* < 2^16 */
};

/* Four 32-bit words for block `block` of stream r; element e is word e % 4 of block e / 4. */
void few__rng_block(const struct few_rng *r, uint32_t block, uint32_t out[4]);

/* Uniform in (0, 1): (word + 1/2) / 2^32, exact in double. */
double few__uniform_from_u32(uint32_t u);
/* Standard normal by inverse CDF, in +, *, /, sqrt on doubles only: the same bits on every IEEE
 * machine. |z| <= 6.34; relative error below 1e-9. */
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
