/* feature_test.h - functions for tests of feature networks. */
#ifndef FEW_FEATURE_TEST_H
#define FEW_FEATURE_TEST_H

#include "base/rng.h"
#include "eval/feature/feature.h"
#include "testing.h"

/* Returns n arbitrary bytes. */
static inline uint8_t *random_bytes(int64_t n) {
  uint8_t *b = malloc((size_t)n);
  float *u = malloc((size_t)n * sizeof *u);
  struct few_rng r = {.seed = 5, .purpose = FEW_RNG_CHECK};
  few__rng_uniform_f32(&r, n, u);
  for (int64_t i = 0; i < n; i++) b[i] = (uint8_t)(u[i] * 256);
  free(u);
  return b;
}

struct images {
  int64_t n, h, w, c;
  const uint8_t *at;
};

static inline float *rows_new(int64_t n) { return calloc((size_t)(n ? n : 1), sizeof(float)); }

/* Returns rows, logits and spatial features of all images in one block, computed in two calls that
 * divide the images at `cut`. */
static inline float *run_cut(few_ctx *ctx, few_features *f, const struct images *p, int64_t cut) {
  assert_ok(ctx, few__features_fit(f, p->h, p->w, p->c));
  const struct few_features_info *i = few__features_info(f);
  float *all = rows_new(p->n * (i->dim + i->classes + i->spatial));
  float *logits = all + p->n * i->dim, *spatial = logits + p->n * i->classes;
  for (int k = 0; k < 2; k++) {
    const int64_t at = k ? cut : 0, n = k ? p->n - cut : cut;
    assert_ok(ctx,
              few__features_run(f, n, p->h, p->w, p->c, p->at + at * p->h * p->w * p->c,
                                all + at * i->dim, i->classes ? logits + at * i->classes : NULL,
                                i->spatial ? spatial + at * i->spatial : NULL));
  }
  return all;
}

/* Checks that the bits do not depend on the cut, on the workers, or on the other images. */
static inline void check_grouping(few_ctx *ctx, few_features *f, const struct images *p) {
  few_ctx_set_workers(ctx, 1);
  float *one = run_cut(ctx, f, p, p->n);
  const struct few_features_info *i = few__features_info(f);
  const size_t bytes = (size_t)(p->n * (i->dim + i->classes + i->spatial)) * sizeof *one;
  for (int64_t cut = 1; cut <= 3 && cut < p->n; cut++) {
    few_ctx_set_workers(ctx, cut == 2 ? 3 : 1);
    float *two = run_cut(ctx, f, p, cut);
    assert_memory_equal(one, two, bytes);
    free(two);
  }
  few_ctx_set_workers(ctx, 1);
  free(one);
}

/* Returns the rms of a - b, relative to that of b. */
static inline double distance(const float *a, const float *b, int64_t n) {
  double d = 0, s = 0;
  for (int64_t k = 0; k < n; k++) {
    d += ((double)a[k] - (double)b[k]) * ((double)a[k] - (double)b[k]);
    s += (double)b[k] * (double)b[k];
  }
  return sqrt(d / s);
}

#endif
