/* placed.h - a plan on a device: its constants and its arena there, and its kernels as one
 * recording, made when the same places are replayed again.
 */
#ifndef FEW_SRC_PLAN_PLACED_H
#define FEW_SRC_PLAN_PLACED_H

#include "plan.h"

typedef struct few_placed few_placed;

/* Of a plan whose backend has a device; plan and queue are borrowed. */
few_status few__placed_create(few_ctx *ctx, few_placed **out, const few_plan *plan,
                              struct few_queue *q);
void few__placed_free(few_placed *p); /* NULL is fine */

/* Slots and outs are the device's memory; only enqueues. */
void few__placed_replay(few_placed *p, const struct few_binding *b);
/* Slots and outs are the host's: copied there and back, and waited for. */
few_status few__placed_run(few_placed *p, const struct few_binding *b);

/* The way there alone, without waiting: what comes out stays in few__placed_out. */
few_status few__placed_enqueue(few_placed *p, const struct few_binding *b);
void *few__placed_out(const few_placed *p, int i);
/* Slot or output i of the two before is this memory of the device from now on, and not copied. */
few_status few__placed_keep_slot(few_placed *p, int i, const void *at);
few_status few__placed_keep_out(few_placed *p, int i, void *at);

#endif
