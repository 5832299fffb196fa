/* moments.h - mean and covariance of a stream of rows, in f64 and in memory of d x d. */
#ifndef FEW_SRC_METRIC_MOMENTS_H
#define FEW_SRC_METRIC_MOMENTS_H

#include "base/workers.h"

typedef struct few_moments few_moments;

enum { FEW_MOMENTS_MAX_DIM = 16384 }; /* LAPACK counts in 32 bits, and 3 d^2 doubles are needed */

/* `what` names the rows in messages: "pixels". The workers are borrowed. */
few_status few__moments_create(few_ctx *ctx, few_moments **out, few_workers *w, int64_t d,
                               const char *what);
void few__moments_free(few_moments *m); /* NULL is fine */

/* The bits do not depend on how rows are grouped into calls, nor on the workers. */
void few__moments_add(few_moments *m, int64_t n, const float *rows);
void few__moments_end(few_moments *m); /* no rows after this */

int64_t few__moments_n(const few_moments *m);
int64_t few__moments_dim(const few_moments *m);
const double *few__moments_mean(const few_moments *m);
/* out[d][d] = sum (x - mean)(x - mean)^T / (n - 1), both halves; after few__moments_end, n >= 2. */
void few__moments_covariance(const few_moments *m, double *out);

/* sum (x - mean)(x - mean)^T, [d][d]; only the lower half is filled. */
const double *few__moments_sums(const few_moments *m);
/* Sets new moments to the state of others that have ended: n rows, mean [d] and sums [d][d]. */
void few__moments_restore(few_moments *m, int64_t n, const double *mean, const double *sums);

#endif
