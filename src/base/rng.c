/* rng.c - streams of random numbers on the host, and permutations by a Feistel network. rng_draw.h
 * has the arithmetic. This file is compiled without contraction (fused multiply-adds).
 */
#include "rng.h"

#include <assert.h>

#include "rng_draw.h"

void few__rng_block(const struct few_rng *r, uint32_t block, uint32_t out[4]) {
  assert(r->step >> 40 == 0 && r->row >> 40 == 0 && r->purpose >> 16 == 0);
  few__draw_block(r, block, out);
}

double few__uniform_from_u32(uint32_t u) { return few__draw_uniform(u); }
double few__normal_from_u32(uint32_t u) { return few__draw_normal(u); }

/* The loop of the four functions that fill arrays. `convert` turns a word into a number. */
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
  assert(n <= (int64_t)1 << 40); /* 20 bits per half */
  int half = 1; /* a Feistel network on 2 half bits, the smallest even width that covers n */
  while (half < 20 && ((int64_t)1 << (2 * half)) < n) half++;
  uint32_t mask = ((uint32_t)1 << half) - 1;
  struct few_rng r = {.seed = seed, .step = epoch, .purpose = FEW_RNG_SHUFFLE};
  do { /* follow the cycle until it is inside 0..n-1: fewer than 4 rounds on average */
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
