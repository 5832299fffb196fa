/* workers.h - a pool of threads that take tasks 0..n-1 in order.
 *
 * The result of a task must not depend on which worker runs it or on how many workers there are.
 * The caller combines results in a fixed order. So results do not depend on the workers.
 */
#ifndef FEW_SRC_WORKERS_H
#define FEW_SRC_WORKERS_H

#include "base.h"

typedef struct few_workers few_workers;

few_status few__workers_create(few_ctx *ctx, few_workers **out, int n);
void few__workers_free(few_workers *w); /* NULL is fine */
int few__workers_count(const few_workers *w);

/* Runs task(user, i, worker) for i = 0..n-1 and waits. worker is 0..count-1; the caller is 0. */
void few__workers_run(few_workers *w, int64_t n, void (*task)(void *user, int64_t i, int worker),
                      void *user);

#endif
