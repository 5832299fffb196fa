/* space.h - where the long arrays of a run live, and what is done to them there: parameters,
 * moments, averages, gradients. On the host the workers share each pass in fixed chunks; on a
 * device a pass is a kernel on the queue that the plans run on, and a sum is waited for.
 */
#ifndef FEW_SRC_TRAIN_SPACE_H
#define FEW_SRC_TRAIN_SPACE_H

#include "engine/backend/backend.h"
#include "train/optim/balance.h"
#include "train/optim/optim.h"

struct few_space {
  few_ctx *ctx;
  few_workers *workers;
  const struct few_backend *backend;
  const struct few_device *device; /* NULL: the host */
  struct few_queue *queue;
  double *parts; /* of sums, the device's */
};

few_status few__space_open(few_ctx *ctx, struct few_space *out, few_workers *workers,
                           const struct few_backend *backend);
void few__space_close(struct few_space *s);
/* Wait for the device; the first mistake since the last wait. */
few_status few__space_finish(const struct few_space *s);

/* n zeros; to be given back to few__space_free. */
few_status few__space_new(const struct few_space *s, float **out, int64_t n);
/* The same before anything is written to it; NULL: out of memory. */
float *few__space_raw(const struct few_space *s, int64_t n);
void few__space_free(const struct few_space *s, float *at); /* NULL is fine */

/* Between the host's memory and the space's. */
void few__space_put(const struct few_space *s, float *to, const float *from, int64_t n);
few_status few__space_get(const struct few_space *s, float *to, const float *from, int64_t n);

void few__space_zero(const struct few_space *s, float *x, int64_t n);
void few__space_copy(const struct few_space *s, float *to, const float *from, int64_t n);
void few__space_scale(const struct few_space *s, float *x, float by, int64_t n);
/* to += from by the caller alone: called from workers. */
void few__space_add(const struct few_space *s, float *to, const float *from, int64_t n);

/* optim/: clip.h, balance.h, optim.h, ema.h, in the space. */
few_status few__space_sumsq(const struct few_space *s, int64_t n, const float *g, double *out);
few_status few__space_balance(const struct few_space *s, const struct few_balancer *b, int n_grads,
                              int64_t n, int64_t n_shared, const double *given, float *grad,
                              double *factor);
void few__space_step(const struct few_space *s, const struct few_optim_job *job);
void few__space_follow(const struct few_space *s, double beta, int64_t n, float *average,
                       const float *p);

#endif
