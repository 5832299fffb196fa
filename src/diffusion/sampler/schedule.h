/* schedule.h - the times at which a sampler evaluates the network, in TrigFlow's t: grids of
 * processes (process/), and two more. */
#ifndef FEW_SRC_SCHEDULE_H
#define FEW_SRC_SCHEDULE_H

#include "diffusion/process/times.h"

enum { FEW_STEPS_MAX = 1 << 20 }; /* so that counts of evaluations fit an int */

const char *few__schedule_name(enum few_schedule s);
const char *few__schedule_help(enum few_schedule s);
/* False for an unknown name. */
bool few__schedule_lookup(enum few_schedule *out, const char *name);
few_status few__schedule_find(few_ctx *ctx, enum few_schedule *out, const char *name);

/* t[0..steps]: the evaluation times, strictly falling in (0, pi/2], and t_end. The schedule must
 * not be FEW_SCHEDULE_DEFAULT unless o->times are given. */
few_status few__times(few_ctx *ctx, const struct few_times_opts *o, double sigma_d, double *t);

#endif
