/* convert.h - any network as a TrigFlow network, without retraining.
 *
 * Two states of different processes with the same noise-to-signal ratio differ by a factor. So a
 * foreign network can be asked for TrigFlow's F at (x_t, t) with a handful of scalars per t:
 *
 *   F(x_t, t) = skip x_t + out net(in_scale x_t, net_time).
 *
 * They are few so that a graph can use them as well as a loop.
 */
#ifndef FEW_SRC_CONVERT_H
#define FEW_SRC_CONVERT_H

#include "process.h"

struct few_to_trig {
  double t;        /* the foreign process's own time of this noise level */
  double state;    /* x'_t' = state * x_t: the foreign process's own state */
  double in_scale; /* what the network is fed: in_scale * x_t ... */
  double net_time; /* ... and this */
  double skip, out;
};

/* For TrigFlow's time t in (0, pi/2]; t = 0 too if the prediction determines F there (all but x
 * do). At t = pi/2 edm has no finite state: stay at or below arctan(sigma_max/sigma_d). */
struct few_to_trig few__to_trig(const struct few_process *p, enum few_prediction predicts,
                                double sigma_d, double t);

#endif
