/* seat.h - where plans run, one at a time: an arena of the host, or a queue of a device that holds
 * them. A worker has a seat of its own.
 */
#ifndef FEW_SRC_PLAN_SEAT_H
#define FEW_SRC_PLAN_SEAT_H

#include "placed.h"

typedef struct few_seat few_seat;

/* For n plans of one backend, borrowed; NULL stands for none. On a device by this queue, borrowed;
 * NULL: one of its own. */
few_status few__seat_create(few_ctx *ctx, few_seat **out, int n, const few_plan *const *plans,
                            struct few_queue *queue);
void few__seat_free(few_seat *s); /* NULL is fine */

/* Plan k; slots and outs are the host's memory. Never fails on the host. */
few_status few__seat_run(few_seat *s, int k, const struct few_binding *b);

/* Plan k on the device; NULL on the host. */
few_placed *few__seat_placed(const few_seat *s, int k);

#endif
