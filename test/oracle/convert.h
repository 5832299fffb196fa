/* convert.h - uses a network of any process as one that predicts TrigFlow's F, without training.
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

/* t is TrigFlow's time, in (0, pi/2]. It may be 0 if the prediction determines F there, as all but
 * x do. edm has no finite state at t = pi/2, so t should be at most arctan(sigma_max/sigma_d). */
struct to_trig to_trig(const struct few_process *p, enum few_prediction predicts, double sigma_d,
                       double t);

#endif
