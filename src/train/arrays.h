/* arrays.h - device arrays: the long arrays of a run (parameters, moments, averages, gradients)
 * and the operations on them.
 *
 * The arrays are in host memory or on a device. On the host, workers share each pass in fixed
 * chunks. On a device, a pass is a kernel on the queue that also runs the plans, and a sum waits
 * for the queue.
 */
#ifndef FEW_SRC_TRAIN_ARRAYS_H
#define FEW_SRC_TRAIN_ARRAYS_H

#include "engine/backend/backend.h"
#include "train/optim/balance.h"
#include "train/optim/optim.h"

/* Where the arrays are. {.ctx = ctx} is the host without workers. */
struct few_arrays {
  few_ctx *ctx;
  few_workers *workers;
  const struct few_backend *backend;
  const struct few_device *device; /* NULL: the host */
  struct few_queue *queue;
  double *parts; /* device memory: partial sums of a dot product */
};

few_status few__arrays_open(few_ctx *ctx, struct few_arrays *out, few_workers *workers,
                            const struct few_backend *backend);
void few__arrays_close(struct few_arrays *s);
/* Waits for the device. Fails with its first error since the last wait. */
few_status few__arrays_finish(const struct few_arrays *s);

/* n zeros. Free with few__arrays_free. */
few_status few__arrays_new(const struct few_arrays *s, float **out, int64_t n);
/* n floats, not initialised. Returns NULL if memory runs out. */
float *few__arrays_raw(const struct few_arrays *s, int64_t n);
void few__arrays_free(const struct few_arrays *s, float *at); /* NULL is fine */

/* Copies from host memory (put) and to host memory (get). */
void few__arrays_put(const struct few_arrays *s, float *to, const float *from, int64_t n);
few_status few__arrays_get(const struct few_arrays *s, float *to, const float *from, int64_t n);

void few__arrays_zero(const struct few_arrays *s, float *x, int64_t n);
void few__arrays_copy(const struct few_arrays *s, float *to, const float *from, int64_t n);
void few__arrays_scale(const struct few_arrays *s, float *x, float by, int64_t n);
/* to += from, in the calling thread. Workers may call it. */
void few__arrays_add(const struct few_arrays *s, float *to, const float *from, int64_t n);

/* The passes of optim/ (clip.h, balance.h, optim.h, ema.h), where the arrays are. */
few_status few__arrays_sumsq(const struct few_arrays *s, int64_t n, const float *g, double *out);
few_status few__arrays_balance(const struct few_arrays *s, const struct few_balancer *b,
                               int n_grads, int64_t n, int64_t n_shared, const double *given,
                               float *grad, double *factor);
void few__arrays_step(const struct few_arrays *s, const struct few_optim_job *job);
void few__arrays_follow(const struct few_arrays *s, double beta, int64_t n, float *average,
                        const float *p);

#endif
