/* process.h - diffusion processes: how an image turns into noise.
 *
 *   x_t = alpha(t) x0 + sigma(t) eps,   eps ~ N(0, I),   t from t_min (clean) to t_max (noise).
 *
 * sigma_d, the standard deviation of the data, is a parameter of every call; processes that do not
 * depend on it ignore it. A process also says how its own family of networks is fed and read: the
 * scale of the input, the number that stands for time, and the prediction (predict.h) that comes
 * out. A network with another prediction is described by giving that instead.
 *
 * A process is one file and one row in processes.def. Pure functions in f64, no state.
 */
#ifndef FEW_SRC_PROCESS_H
#define FEW_SRC_PROCESS_H

#include <math.h>

#include "predict.h"

/* Where noise begins and ends in practice (EDM). Networks are trained and sampled from t_max down,
 * which is nearly pure noise; for sigma_d = 1/2 it is 1.56455. */
#define FEW_SIGMA_MIN 0.002
#define FEW_SIGMA_MAX 80.0
static inline double few__t_max(double sigma_d) { return atan(FEW_SIGMA_MAX / sigma_d); }

struct few_process {
  const char *name, *source, *help;
  double t_min, t_max;          /* t_max may be INFINITY */
  enum few_prediction predicts; /* of this family's networks */
  /* (alpha, sigma) at t. */
  struct few_mix (*at)(double sigma_d, double t);
  /* The t whose (alpha, sigma) is parallel to `ray`: inverse of the noise-to-signal ratio, given as
   * a pair so that both ends of the range are as exact as the middle. Lengths do not matter. */
  double (*time)(double sigma_d, struct few_mix ray);
  double (*net_scale)(double sigma_d, double t); /* c_in: the network is fed c_in x_t ... */
  double (*net_time)(double sigma_d, double t);  /* ... and c_noise */
};

#define FEW_PROCESS(name) extern const struct few_process few__process_##name;
#include "processes.def"
#undef FEW_PROCESS

int few__process_count(void);
const struct few_process *few__process_at(int i);

#endif
