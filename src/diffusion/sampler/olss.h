/* olss.h - short schedules whose steps are fitted to a long run of one model (olss.c).
 *
 *   x_{k+1} = x[k] x_T + sum_{j <= k} F[k][j] F(x_j, t_j),   x_T = x_0 the starting noise
 */
#ifndef FEW_SRC_OLSS_H
#define FEW_SRC_OLSS_H

#include "base/base.h"

struct few_olss {
  int steps;
  double sigma_d;
  double *t; /* [steps] falling; the last step ends at t = 0 */
  double *x; /* [steps] */
  double *F; /* [steps][steps], zero above the diagonal */
  /* [steps] The root mean square error of each step, compared with the long run's state and
   * computed from the long run's outputs; and that of DDIM on the same times. 0 if not known. */
  double *rms, *ddim_rms;
};

/* Creates one with all arrays zero; steps >= 1. */
few_status few__olss_new(few_ctx *ctx, struct few_olss **out, int steps, double sigma_d);
void few__olss_free(few_ctx *ctx, struct few_olss *o); /* NULL is fine */

/* The states and outputs of a run of a sampler with one evaluation per step, all rows together. */
struct few_olss_run {
  int steps;
  const double *t; /* [steps + 1], the last 0 */
  int64_t n;       /* values of a state; at least 2 steps + 1 */
  const float *x;  /* [steps + 1][n] */
  const float *F;  /* [steps][n] */
  double sigma_d;
};

/* Chooses `steps` of the run's times, 1 to run->steps, and fits the weights. With `search` it
 * chooses the best times; otherwise they are spaced as evenly as possible among the run's. */
few_status few__olss_fit(few_ctx *ctx, struct few_olss **out, const struct few_olss_run *run,
                         int steps, bool search);

#endif
