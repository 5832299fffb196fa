/* schedule.h - the times at which a sampler asks the network, in TrigFlow's t. */
#ifndef FEW_SRC_SCHEDULE_H
#define FEW_SRC_SCHEDULE_H

#include "diffusion/process/process.h"
#include "few/ext/sampler.h"

enum { FEW_STEPS_MAX = 1 << 20 }; /* so that counts of evaluations fit an int */

struct few_times_opts {
  int version; /* FEW_TIMES_OPTS_VERSION */
  enum few_schedule schedule;
  int steps;                     /* evaluation times, the last of which steps to t_end */
  double sigma_max, sigma_min;   /* t = arctan(sigma/sigma_d) of the first time, and of the last one
                                  * before 0 (karras, logsnr) */
  double rho;                    /* karras */
  double middle;                 /* middle: the second time */
  double logsnr_min, logsnr_max; /* cosine: ln(alpha^2/sigma^2) at u = 1 and at u = 0 */
  double t_end;                  /* 0: the clean image; above: stop early */
  const double *times;           /* `steps` falling times instead of a schedule, or NULL */
};
#define FEW_TIMES_OPTS_VERSION 1
#define FEW_TIMES_OPTS_INIT                                                                     \
  {                                                                                             \
    FEW_TIMES_OPTS_VERSION, FEW_SCHEDULE_DEFAULT, 1, FEW_SIGMA_MAX, FEW_SIGMA_MIN, 7, 1.1, -20, \
        20, 0, NULL                                                                             \
  }

const char *few__schedule_name(enum few_schedule s);
const char *few__schedule_help(enum few_schedule s);
few_status few__schedule_find(few_ctx *ctx, enum few_schedule *out, const char *name);

/* t[0..steps]: the evaluation times, strictly falling in (0, pi/2], and t_end. The schedule must
 * not be FEW_SCHEDULE_DEFAULT unless o->times are given. */
few_status few__times(few_ctx *ctx, const struct few_times_opts *o, double sigma_d, double *t);

#endif
