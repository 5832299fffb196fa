/* executor.h - runs plans, one at a time, in an arena of the host or on a queue of a device. Each
 * worker has an executor of its own. Callers use both kinds in the same way.
 */
#ifndef FEW_SRC_PLAN_EXECUTOR_H
#define FEW_SRC_PLAN_EXECUTOR_H

#include "device_plan.h"

/* Makes an executor for n plans of one backend, which are borrowed; a NULL among them is skipped.
 * On a device, kernels are launched on `queue` (borrowed); NULL: on a queue that it opens. */
few_status few__executor_create(few_ctx *ctx, few_executor **out, int n,
                                const few_plan *const *plans, struct few_queue *queue);
void few__executor_free(few_executor *e); /* NULL is fine */

/* Runs plan k. The slots and outs of the binding are memory of the host. Never fails on the
 * host. */
few_status few__executor_run(few_executor *e, int k, const struct few_binding *b);

/* Plan k on the device; NULL where plans run on the host. */
few_device_plan *few__executor_device_plan(const few_executor *e, int k);

#endif
