/* sampler.h - from noise to images along a network's field.
 *
 * Samplers speak TrigFlow: the network is asked for F at x_t and t, whatever it was trained as
 * (foreign.h makes any network answer so). They work on a batch of rows of floats, with the scalars
 * of each step in f64. Noise is counter-based by the global index of a row, so an image does not
 * depend on the batch it is made in.
 *
 * A sampler is one file and one row in samplers.def.
 */
#ifndef FEW_SRC_SAMPLER_H
#define FEW_SRC_SAMPLER_H

#include "base/option.h"
#include "diffusion/process/steps.h"
#include "olss.h"
#include "schedule.h"

struct few_sampling {
  int64_t rows, dims; /* the batch: rows x dims floats */
  double sigma_d;
  float *x;     /* [rows x dims]: x at t[0] in, x at t[steps] out */
  int steps;    /* set by few__sample */
  double *t;    /* [steps + 1], strictly falling (few__encode: rising): set by few__sample */
  bool started; /* x holds the start already; otherwise it is drawn, N(0, sigma_d^2) */
  const struct few_olss *olss; /* of a sampler that is fitted */
  const void *opts; /* the sampler's, as its table fills them; NULL: all at their defaults */

  /* F of all rows at time t; x is x_t itself (a network is fed x_t/sigma_d). The step it is for
   * goes to the time `to`, which is t where F is wanted as a field: networks that learn jumps are
   * told it, others ignore it. */
  few_status (*eval)(void *user, const float *x, double t, double to, float *F);
  void *user;

  /* Standard normals for all rows: `draw` 0 is the start, others the fresh noise on the way.
   * NULL: Philox by seed, draw and row, the first row being first_row. */
  void (*noise)(void *user, int draw, float *z);
  uint64_t seed;
  int64_t first_row;
};

struct few_sampler {
  const char *name, *source, *help;
  enum few_schedule schedule; /* what FEW_SCHEDULE_DEFAULT means here */
  int steps;                  /* its own choice of how many */
  int order;                  /* of accuracy on the probability-flow ODE; 0: it does not solve it */
  int evals_per_step;
  bool fresh_noise; /* draws noise on the way */
  bool both_ways;   /* runs from image to noise too: few__encode */
  bool jumps;       /* for networks that are told where a step leads, and no others */
  bool fitted;      /* runs by few_sampling.olss, which has the times */
  const struct few_option *options; /* NULL: none */
  size_t options_size;
  few_status (*run)(few_ctx *ctx, struct few_sampling *s); /* from t[0] to t[steps] */
};

#define FEW_SAMPLER(name) extern const struct few_sampler few__sampler_##name;
#include "samplers.def"
#undef FEW_SAMPLER

int few__sampler_count(void);
const struct few_sampler *few__sampler_at(int i);
few_status few__sampler_find(few_ctx *ctx, const struct few_sampler **out, const char *name);
/* Evaluations of the network for so many steps down to 0: the last one needs only one. */
int few__sampler_evals(const struct few_sampler *sampler, int steps);

/* Make the times, draw the start, run. s->x holds the images afterwards, or what there was when an
 * evaluation failed; s->t does not survive the call. */
few_status few__sample(few_ctx *ctx, const struct few_sampler *sampler,
                       const struct few_times_opts *times, struct few_sampling *s);

/* The other way: s->x holds images at t_end in, and their noise at the first time out, along the
 * same times in rising order. Networks that take the logarithm of time need t_end > 0, such as
 * arctan(sigma_min/sigma_d). Fails for a sampler that does not run both ways. */
few_status few__encode(few_ctx *ctx, const struct few_sampler *sampler,
                       const struct few_times_opts *times, struct few_sampling *s);

/* For samplers. Every step DDIM's, the network being told where it leads. */
few_status few__sampling_ddim(few_ctx *ctx, struct few_sampling *s);
/* z = standard normals of this draw. */
void few__sampling_noise(const struct few_sampling *s, int draw, float *z);
/* out = line.x x + line.y y on the batch, in f64 and rounded once; out may be x or y. */
void few__sampling_line(const struct few_sampling *s, struct few_line line, const float *x,
                        const float *y, float *out);

#endif
