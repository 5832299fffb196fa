/* device_plan.h - a plan on a device, with its constants and arena in device memory. The second
 * replay of a binding captures the kernels as one graph; each replay after that is one launch.
 */
#ifndef FEW_SRC_DEVICE_PLAN_H
#define FEW_SRC_DEVICE_PLAN_H

#include "plan.h"

typedef struct few_device_plan few_device_plan;

/* The plan's backend must have a device. The plan and the queue are borrowed. */
few_status few__device_plan_create(few_ctx *ctx, few_device_plan **out, const few_plan *plan,
                                   struct few_queue *q);
void few__device_plan_free(few_device_plan *p); /* NULL is fine */

/* Slots and outs are device memory. Enqueues the kernels and returns. */
void few__device_plan_replay(few_device_plan *p, const struct few_binding *b);
/* Slots and outs are host memory: copies the slots to the device and the outs back, and waits. */
few_status few__device_plan_run(few_device_plan *p, const struct few_binding *b);

/* Copies the slots to the device and enqueues the kernels, without waiting. Output i stays on the
 * device, at few__device_plan_out(p, i). */
few_status few__device_plan_enqueue(few_device_plan *p, const struct few_binding *b);
void *few__device_plan_out(const few_device_plan *p, int i);
/* From now on, slot or output i of run and enqueue is at `at` in device memory and is not
 * copied. */
few_status few__device_plan_keep_slot(few_device_plan *p, int i, const void *at);
few_status few__device_plan_keep_out(few_device_plan *p, int i, void *at);

#endif
