/* process.h - diffusion processes: how an image turns into noise.
 *
 *   x_t = alpha(t) x0 + sigma(t) eps,   eps ~ N(0, I),   t from t_min (clean) to t_max (noise).
 *
 * A process is one file and one row in processes.def. The file has all that is particular to it:
 * alpha and sigma with their inverse in f64, the input of a time embedding, how its time is sampled
 * in training, and its grid of sampling times. Everything else loops over processes.def.
 *
 * Networks and samplers work in TrigFlow's time, here t_trig: x_t = cos(t_trig) x0 + sin(t_trig) z
 * with z = sigma_d eps. It is the time of the same noise-to-signal ratio, so that
 *
 *   tan t_trig = sigma/(sigma_d alpha).
 *
 * sigma_d > 0, the standard deviation of the data, is a parameter of every call; processes that do
 * not depend on it ignore it. All are pure functions.
 */
#ifndef FEW_SRC_PROCESS_H
#define FEW_SRC_PROCESS_H

#include <math.h>

#include "few/graph.h"
#include "predict.h"
#include "times.h"

/* The largest time in practice: networks are trained and sampled from t_max down, where sigma is
 * FEW_SIGMA_MAX and x_t nearly pure noise. 1.56455 for sigma_d = 1/2. */
static inline double few__t_max(double sigma_d) { return atan(FEW_SIGMA_MAX / sigma_d); }

/* Options of training times. Only processes with has_logsnr read them. */
struct few_process_opts {
  double logsnr_min, logsnr_max; /* ln(alpha^2/sigma^2) at u = 1 and at u = 0 */
  double noise_d, noise_d_high;  /* reference sides for the shift, in pixels; 0: no shift */
  double side;                   /* side of the images, in pixels */
};

/* The units of a network's time. */
struct few_units {
  double sigma_d;
  struct few_betas betas; /* for `ddpm`; steps 0: FEW_BETAS_INIT */
};

struct few_process {
  const char *name, *source, *help;

  /* ---- In f64 ---- */
  double t_min, t_max;          /* t_max may be INFINITY */
  enum few_prediction predicts; /* what networks of this process predict */
  /* (alpha, sigma) at t. */
  struct few_mix (*at)(double sigma_d, double t);
  /* Its inverse: the t whose (alpha, sigma) is parallel to `ray`. The noise-to-signal ratio is
   * given as a pair so that both ends of the range are as exact as the middle; its length does not
   * matter. */
  double (*time)(double sigma_d, struct few_mix ray);
  double (*net_scale)(double sigma_d, double t); /* c_in: the network's input is c_in x_t ... */
  double (*net_time)(double sigma_d, double t);  /* ... and c_noise */

  /* ---- As nodes of a graph ---- */
  /* For networks that take this process's state: the factor [rows] from x_t/sigma_d to their input,
   * which is net_scale times the process's own state. NULL: 1. */
  few_node (*input)(few_graph *g, double sigma_d, few_node t_trig);
  /* The input of a time embedding at t_trig [rows]: net_time of the process's own time. Finite in
   * single precision on all of [0, pi/2]. */
  few_node (*embedded_time)(few_graph *g, const struct few_units *u, few_node t_trig);
  /* t_trig of training times: u [rows], uniform in (0, 1), is the process's own time as a share of
   * its range. NULL: the range has no end. */
  few_node (*trig_time)(few_graph *g, const struct few_process_opts *o, double sigma_d, few_node u);
  bool uniform_times; /* default distribution of times: u is uniform, or, if false,
                       * ln(sigma_d tan t_trig) is normal */
  bool has_logsnr;    /* trig_time reads its options */

  /* ---- Sampling times ---- */
  const char *schedule, *schedule_help;
  /* t_trig of point i, 0 <= i < o->steps, falling. NULL: equal steps in the process's own time,
   * from t_max to the time of o->t_end. */
  double (*grid)(const struct few_times_opts *o, double sigma_d, int i);
};

#define FEW_PROCESS(file, name, time_transform) extern const struct few_process few__process_##file;
#include "processes.def"
#undef FEW_PROCESS

int few__process_count(void);
const struct few_process *few__process_at(int i);
int few__process_find(const char *name); /* -1: there is none */
/* few_process_choices and few_time_transform_choices of few/ext/ are also made from
 * processes.def. */
/* Point i of the process's grid: t_trig, 0 <= i < o->steps. */
double few__process_grid(const struct few_process *p, const struct few_times_opts *o,
                         double sigma_d, int i);

/* arctan(y/x) for y >= 0, [rows]. It is computed by half the angle, so x may be 0. */
few_node few__process_angle(few_graph *g, few_node x, few_node y);
/* t_trig of DDPM's numbered step, 0 <= step < b->steps. */
double few__betas_time(const struct few_betas *b, double sigma_d, int64_t step);
/* cos^2(t) + sigma_d^2 sin^2(t), the square of alpha^2 + sigma^2 in TrigFlow's state; [rows]. */
few_node few__process_norm_squared(few_graph *g, double sigma_d, few_node t);
/* `input` of the processes with alpha^2 + sigma^2 = 1. */
few_node few__process_unit_variance(few_graph *g, double sigma_d, few_node t);

#endif
