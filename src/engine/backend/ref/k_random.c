/* k_random.c - random numbers. Row r of dim 0 is the stream of sample row0 + r, so a sample's
 * numbers do not depend on the batch that it is in.
 */
#include "base/rng.h"
#include "real.h"

#if FEW_REAL_IS_F64
#define FILL(kind) few__rng_##kind##_f64
#else
#define FILL(kind) few__rng_##kind##_f32
#endif

static void fill(const struct few_call *c, void (*f)(const struct few_rng *, int64_t, real *)) {
  assert(c->shape.rank >= 1);
  const int64_t rows = c->shape.dim[0], n = inner_of(c->shape, 0);
  real *out = c->out;
  for (int64_t r = 0; r < rows; r++) {
    const struct few_rng stream = {.seed = c->key.seed,
                                   .step = c->key.step,
                                   .row = c->key.row0 + (uint64_t)r,
                                   .purpose = (uint32_t)c->node->attr.random.purpose};
    f(&stream, n, out + r * n);
  }
}

void K(randn)(const struct few_call *c) { fill(c, FILL(normal)); }

NO_SCRATCH(randn)

void K(randu)(const struct few_call *c) { fill(c, FILL(uniform)); }

NO_SCRATCH(randu)
