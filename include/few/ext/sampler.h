/* few/ext/sampler.h - a sampler of your own: from noise to images by evaluating a network.
 *
 * Samplers work in TrigFlow's coordinates: they evaluate F at x_t and t, however the network was
 * trained. They run on a batch of rows of floats, with the scalars of each step in f64
 * (few_step_* of few/ext/steps.h). Noise is counter-based by the global index of a row, so an image
 * does not depend on its batch.
 *
 *   static few_status run(few_ctx *ctx, struct few_sampling *s);
 *   static const struct few_sampler_def def = {.version = FEW_SAMPLER_DEF_VERSION, .name = "mine",
 *       .help = "...", .schedule = "karras", .steps = 16, .order = 1,
 *       .evals_per_step = 1, .run = run};
 *   few_ctx_add_sampler(ctx, &def);
 *
 * How stable this header is: few/ext/common.h.
 */
#ifndef FEW_EXT_SAMPLER_H
#define FEW_EXT_SAMPLER_H

#include "few/ext/common.h"
#include "few/ext/steps.h"
#include "few/option.h"

#ifdef __cplusplus
extern "C" {
#endif

struct few_olss; /* a fitted schedule; the library's */

struct few_sampling {
  int64_t rows, dims; /* the batch: rows x dims floats */
  double sigma_d;
  float *x;     /* [rows x dims]: x at t[0] in, x at t[steps] out */
  int steps;    /* of this run */
  double *t;    /* [steps + 1] radians, strictly falling; strictly rising if it encodes images */
  bool started; /* x is the starting state; otherwise that is drawn from N(0, sigma_d^2) */
  const struct few_olss *olss; /* for a fitted sampler */
  const void *opts; /* the sampler's options struct; NULL: all options have their defaults */

  /* F of all rows at time t; x is x_t itself (the network's input is x_t/sigma_d). `to` is the time
   * at the end of the step. Pass t to get the instantaneous velocity. Networks with a
   * step size input use `to`, others ignore it. */
  few_status (*eval)(void *user, const float *x, double t, double to, float *F);
  void *user;

  /* Standard normals for all rows. `draw` 0 is the starting noise; 1, 2 ... are fresh noise of the
   * steps. NULL: Philox with seed, draw and row, where the first row is first_row. */
  void (*noise)(void *user, int draw, float *z);
  uint64_t seed;
  int64_t first_row;

  /* out = the sum of weight[i] x[i], for a run that is recorded (few/export.h): then x and F have
   * two floats, which stand for the batch. NULL: sums are computed. */
  void (*sum)(void *user, float *out, int n, const double *weight, const float *const *x);
};

#define FEW_SAMPLER_DEF_VERSION 1
struct few_sampler_def {
  int version;          /* FEW_SAMPLER_DEF_VERSION */
  const char *name;     /* "heun" */
  const char *source;   /* the paper; "" or NULL: none */
  const char *help;     /* one line */
  const char *schedule; /* default schedule of the times (few list schedules): "karras" */
  int steps;            /* default number of steps */
  int order;            /* of accuracy on the probability-flow ODE; 0: not a solver of it */
  int evals_per_step;
  bool fresh_noise;                 /* adds fresh noise during the run */
  bool both_ways;                   /* runs from images to noise too (few_encode) */
  bool jumps;                       /* only for networks with a step size input */
  bool fitted;                      /* needs few_sampling.olss, which has the times */
  const struct few_option *options; /* NULL: none */
  size_t options_size;
  few_status (*run)(few_ctx *ctx, struct few_sampling *s); /* from t[0] to t[steps] */
};

/* FEW_E_INVALID, with a message in few_error, if def is NULL, has another version or lacks a
 * member, or if its name is taken. */
FEW_API FEW_MUST_USE few_status few_ctx_add_sampler(few_ctx *ctx,
                                                    const struct few_sampler_def *def);

/* ---- For run() ---- */

/* A whole run of DDIM steps; each evaluation gets the end of its step as `to`. */
FEW_API few_status few_sampling_ddim(few_ctx *ctx, struct few_sampling *s);
/* z = standard normals of this draw. */
FEW_API void few_sampling_noise(float *z, const struct few_sampling *s, int draw);
/* out = line.x x + line.y y for the whole batch, computed in f64 and rounded once. out may be x or
 * y. A sampler that computes states only by this and few_sampling_sum can be exported. */
FEW_API void few_sampling_line(float *out, const struct few_sampling *s, struct few_line line,
                               const float *x, const float *y);
/* The same for n arrays: out = the sum of weight[i] x[i]. */
FEW_API void few_sampling_sum(float *out, const struct few_sampling *s, int n, const double *weight,
                              const float *const *x);

#ifdef __cplusplus
}
#endif
#endif
