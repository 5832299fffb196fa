/* mix.h - the training data of a generation of a self-consuming loop. */
#ifndef FEW_SRC_LOOP_MIX_H
#define FEW_SRC_LOOP_MIX_H

#include "base/base.h"
#include "few/loop.h"

struct few_loop_mix {
  int64_t first, real; /* real items first .. first + real - 1 */
  int64_t synthetic;   /* then samples 0 .. synthetic - 1 of the previous generation */
};

/* Generations count from 1. */
struct few_loop_mix few__loop_mix(enum few_loop_kind kind, int generation, int64_t n_real,
                                  int64_t n_synthetic);

/* ---- the same loop with a fitted Gaussian in place of a network ---- */

struct few_gaussian_loop {
  enum few_loop_kind kind;
  int64_t d, n_real, n_synthetic;
  int generations;
  double bias; /* lambda: samples are drawn from N(mu, lambda Sigma) */
  uint64_t seed;
};
struct few_gaussian_fit {
  double mean_square; /* |mu|^2 */
  double trace;       /* of Sigma */
  double distance;    /* squared Frechet distance to the real N(0, I) */
};
/* out[generations]. Real data are N(0, I) in d dimensions; a fit is the sample mean and the
 * unbiased sample covariance. */
few_status few__gaussian_loop(few_ctx *ctx, const struct few_gaussian_loop *o,
                              struct few_gaussian_fit *out);

#endif
