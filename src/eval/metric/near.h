/* near.h - who lies in whose ball: the k-nearest-neighbour manifolds of two sets of rows. */
#ifndef FEW_SRC_METRIC_NEAR_H
#define FEW_SRC_METRIC_NEAR_H

#include "base/workers.h"

enum { FEW_NEAR_MAX_K = 64, FEW_NEAR_RULES = 2 };

/* The ball of a row reaches to its k-th neighbour in its own set, not counting itself. A closed
 * ball holds what lies on its surface. */
struct few_near_rule {
  int k;
  bool closed;
};

struct few_near_result {
  double precision, recall; /* part of the samples in a real ball; of the real in a sample's */
  double density, coverage;
};

struct few_near_job {
  few_workers *w;
  int64_t d, n_real, n_fake;
  const double *real, *fake; /* panels of gram.h */
  int rules;
  struct few_near_rule rule[FEW_NEAR_RULES];
};

/* Each k is below n_real and n_fake. out[rules]. */
few_status few__near(few_ctx *ctx, const struct few_near_job *job, struct few_near_result *out);

#endif
