/* frechet.h - the distance between two normal distributions. */
#ifndef FEW_SRC_METRIC_FRECHET_H
#define FEW_SRC_METRIC_FRECHET_H

#include "moments.h"

struct few_frechet {
  double distance, mean_part; /* squared; mean_part is |mu_1 - mu_2|^2 */
  int64_t rank[2];            /* of the covariances, to rounding */
};

/* few__moments_end was called for both; they have one dimension and at least 2 rows each. */
few_status few__frechet(few_ctx *ctx, few_workers *w, const few_moments *a, const few_moments *b,
                        struct few_frechet *out);

/* The same for given means [d] and covariances [d][d]; the covariances are overwritten. */
few_status few__frechet_of(few_ctx *ctx, few_workers *w, int64_t d, const double *mean_a,
                           double *cov_a, const double *mean_b, double *cov_b,
                           struct few_frechet *out);

#endif
