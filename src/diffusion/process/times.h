/* times.h - sampling times: the schedules and their options.
 *
 * A schedule is a falling grid of TrigFlow times. Each process has one, and sampler/schedule.c has
 * two more.
 */
#ifndef FEW_SRC_TIMES_H
#define FEW_SRC_TIMES_H

#include "base/base.h"

/* Where noise begins and ends in practice, as standard deviations of EDM's process. */
#define FEW_SIGMA_MIN 0.002
#define FEW_SIGMA_MAX 80.0

enum few_schedule {
  FEW_SCHEDULE_DEFAULT,                                              /* the sampler's own */
#define FEW_PROCESS(file, name, time_transform) FEW_SCHEDULE_##file, /* the grid of this process */
#include "processes.def"
#undef FEW_PROCESS
  FEW_SCHEDULE_LOGSNR, /* equal steps in ln tan t */
  FEW_SCHEDULE_MIDDLE, /* t_max, then equal steps from `middle`: for few-step consistency models */
  FEW_SCHEDULES
};

struct few_times_opts {
  int version; /* FEW_TIMES_OPTS_VERSION */
  enum few_schedule schedule;
  int steps;                     /* number of evaluation times; the last step ends at t_end */
  double sigma_max, sigma_min;   /* t = arctan(sigma/sigma_d) of the first time, and of the last one
                                  * before 0 (karras, logsnr) */
  double rho;                    /* karras: equal steps in sigma^(1/rho) */
  double middle;                 /* middle: the second time, radians */
  double logsnr_min, logsnr_max; /* cosine: ln(alpha^2/sigma^2) at u = 1 and at u = 0 */
  double t_end;                  /* end of sampling in radians; 0: the clean image */
  const double *times;           /* `steps` falling times instead of a schedule, or NULL */
};
#define FEW_TIMES_OPTS_VERSION 1
#define FEW_TIMES_OPTS_INIT                                                                     \
  {                                                                                             \
    FEW_TIMES_OPTS_VERSION, FEW_SCHEDULE_DEFAULT, 1, FEW_SIGMA_MAX, FEW_SIGMA_MIN, 7, 1.1, -20, \
        20, 0, NULL                                                                             \
  }

/* Point i of n equal steps from `first` to `last`. */
static inline double few__grid_point(double first, double last, int i, int n) {
  return n > 0 ? first + (last - first) * i / n : first;
}
/* For karras and logsnr, whose last step goes from sigma_min to 0 unless sampling stops early:
 * sigma of the last level above 0, and the number of steps between levels above 0. */
double few__grid_last_sigma(const struct few_times_opts *o, double sigma_d);
int few__grid_levels(const struct few_times_opts *o);

#endif
