/* few/inspect.h - inspects a model: its layers, its derivatives, its signal at initialisation, its
 * tangent and the straightness of its paths.
 */
#ifndef FEW_INSPECT_H
#define FEW_INSPECT_H

#include "few/base.h"
#include "few/model.h"
#include "few/run.h"
#include "few/sample.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The model as text ---- */

struct few_show_opts {
  int version;  /* FEW_SHOW_OPTS_VERSION */
  bool graph;   /* a line per node; otherwise a line per layer */
  int64_t rows; /* rows of the batch, at least 1 */
};
#define FEW_SHOW_OPTS_VERSION 1
#define FEW_SHOW_OPTS_INIT \
  { FEW_SHOW_OPTS_VERSION, false, 1 }
/* The model's options and data, then a line per layer with shape, parameters and FLOPs, or a line
 * per node. opts may be NULL. *out is yours: few_text_free. */
FEW_API FEW_MUST_USE few_status few_model_show(char **out, const few_model *m,
                                               const struct few_show_opts *opts);

/* ---- Derivatives ---- */

/* The derivative checker on this model's own network and weights, in f64. */
struct few_model_check {
  const char *what;           /* "network w.r.t. its inputs"; static */
  double difference, adjoint; /* relative errors (few/check.h) */
  double difference_bound, adjoint_bound;
  bool ok; /* both are within their bounds */
};
enum { FEW_MODEL_CHECKS = 3 };
/* Checks the derivatives of the network with respect to its inputs and to its parameters, and of
 * its tangent with respect to its parameters. Takes seconds to minutes and reports progress. A
 * wrong derivative is not an error: look at `ok`. `size` is sizeof out[0]. */
FEW_API FEW_MUST_USE few_status few_model_check(struct few_model_check out[FEW_MODEL_CHECKS],
                                                size_t size, const few_model *m);

/* ---- The signal at initialisation ---- */

/* The size of activations and gradients with freshly drawn weights, block by block from the input
 * on. The model's own weights are not used. */
struct few_signal_layer {
  const char *name;       /* of the block, as in few show; borrowed during the call */
  struct few_shape shape; /* of its last value, `rows` first */
  double activation;      /* root mean square of that value */
  double gradient; /* of the gradient of <w, F> with respect to it, w ~ N(0, 1); at F it is 1 */
};
struct few_signal_opts {
  int version; /* FEW_SIGNAL_OPTS_VERSION */
  uint64_t seed;
  int64_t rows; /* of normal noise at all times, at least 1 */
  double std;   /* standard deviation of all weights that are drawn; 0: the network's own */
  bool fill;    /* draw the weights that start at zero too, with 1/sqrt(fan-in) */
  void (*layer)(void *user, const struct few_signal_layer *layer); /* called for each block */
  void *user;
};
#define FEW_SIGNAL_OPTS_VERSION 1
#define FEW_SIGNAL_OPTS_INIT \
  { FEW_SIGNAL_OPTS_VERSION, 1, 16, 0, false, NULL, NULL }
FEW_API FEW_MUST_USE few_status few_model_signal(const few_model *m,
                                                 const struct few_signal_opts *opts);

/* ---- The tangent of a consistency model ----
 *
 * f(x, t) = cos(t) x - sin(t) sigma_d F(x/sigma_d, t) is a consistency function if df/dt = 0 along
 * the flow. Continuous-time training follows df/dt, so its size at each time shows whether training
 * will be stable (Lu and Song, arXiv 2410.11081, eq. 6):
 *
 *   df/dt = -cos(t) (sigma_d F - v) - sin(t) (x_t + sigma_d dF/dt),   dF/dt along (v, 1)
 *
 * at x_t = cos(t) x0 + sin(t) z of data x0. v = dx_t/dt is that of a teacher, sigma_d F_teacher, or
 * of the single path, cos(t) z - sin(t) x0. Sizes are root mean squares over the elements of all
 * rows, in units of sigma_d. */
struct few_tangent_bin {
  double from, to; /* times in radians; the rows are spread evenly between them */
  int64_t rows;
  double size;     /* df/dt */
  double velocity; /* its first term, cos(t) (sigma_d F - v) */
  double slope;    /* its second term, sin(t) (x_t + sigma_d dF/dt) */
  /* Training forms cos(t) df/dt from cos(t) sin(t) dF/dt, either as one tangent ("rearranged") or
   * as dF/dt times cos(t) sin(t) ("raw"). The largest element of each form, which a number format
   * must represent, and the rms difference of the two cos(t) df/dt, relative to their size. */
  double largest_raw, largest_rearranged, difference;
};
enum { FEW_TANGENT_BINS = 16 };
struct few_tangent_opts {
  int version;                 /* FEW_TANGENT_OPTS_VERSION */
  const struct few_data *data; /* of the model's shape; required */
  few_runner *teacher;         /* NULL: the velocity of the single path */
  int64_t rows;                /* per bin, 1 to 2^20 */
  uint64_t seed;               /* of the order of the data and of the noise */
};
#define FEW_TANGENT_OPTS_VERSION 2
#define FEW_TANGENT_OPTS_INIT \
  { FEW_TANGENT_OPTS_VERSION, NULL, NULL, 256, 1 }
/* Measured with the kernels that train, in the precision of the runner's context. Labels are those
 * of the data as far as model and teacher take them; guidance is 1. Times go from 0 to
 * arctan(80/sigma_d). Reports progress.
 * FEW_E_INVALID for models without df/dt: classifiers, and networks that take a step size. */
FEW_API FEW_MUST_USE few_status few_model_tangent(struct few_tangent_bin out[FEW_TANGENT_BINS],
                                                  few_runner *r,
                                                  const struct few_tangent_opts *opts);

/* ---- The straightness of paths ---- */

/* How straight the paths from noise to images are (Liu et al., arXiv 2209.03003): with the flow
 * y_u = (1-u) x0 + u eps, of velocity v,   S = E int_0^1 |v(y_u) - (y_1 - y_0)|^2 du   per value,
 * along opts->steps steps (0: 64) of Euler on opts->n paths. If *out is 0, every path is a straight
 * line, and one step is enough. opts gives images, labels, guidance and seed; its sampler and times
 * are ignored. */
FEW_API FEW_MUST_USE few_status few_model_straightness(double *out, few_runner *r,
                                                       const struct few_sample_opts *opts);

#ifdef __cplusplus
}
#endif
#endif
