/* convert.h - a network of any process as one that predicts TrigFlow's F, without retraining.
 *
 * Two states of different processes with the same noise-to-signal ratio differ by a factor only. So
 * any network gives TrigFlow's F at (x_t, t) with a few scalars that depend on t:
 *
 *   F(x_t, t) = skip x_t + out net(in_scale x_t, net_time).
 */
#ifndef FEW_TEST_CONVERT_H
#define FEW_TEST_CONVERT_H

#include "diffusion/process/process.h"

struct to_trig {
  double t;        /* the process's own time of this noise level */
  double state;    /* x'_t' = state * x_t: the process's own state */
  double in_scale; /* the network's inputs: in_scale * x_t ... */
  double net_time; /* ... and its time */
  double skip, out;
};

/* For TrigFlow's time t in (0, pi/2]; t = 0 too if the prediction determines F there (all but x
 * do). At t = pi/2 edm has no finite state: stay at or below arctan(sigma_max/sigma_d). */
struct to_trig to_trig(const struct few_process *p, enum few_prediction predicts, double sigma_d,
                       double t);

#endif
