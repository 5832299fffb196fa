/* few/ext/sampler.h - a sampler of your own: from noise to images by evaluating a network.
 *
 * Samplers work in TrigFlow's coordinates: they evaluate F at x_t and t, whatever the network was
 * trained as. They run on a batch of rows of floats, with the scalars of each step in f64 (few_step_*
 * of few/ext/steps.h). Noise is counter-based by the global index of a row, so an image does not
 * depend on its batch.
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
  double *t;    /* [steps + 1] radians, strictly falling; rising from images to noise */
  bool started; /* x holds the start already; otherwise it is sampled, N(0, sigma_d^2) */
  const struct few_olss *olss; /* for a fitted sampler */
  const void *opts; /* the sampler's, as its table fills them; NULL: all at their defaults */

  /* F of all rows at time t; x is x_t itself (a network's input is x_t/sigma_d). `to` is where the
   * step goes, or t if F is the velocity at t. Networks that take the size of a step use it, others
   * ignore it. */
  few_status (*eval)(void *user, const float *x, double t, double to, float *F);
  void *user;

  /* Standard normals for all rows: `draw` 0 is the start, others the fresh noise on the way.
   * NULL: Philox by seed, draw and row, the first row being first_row. */
  void (*noise)(void *user, int draw, float *z);
  uint64_t seed;
  int64_t first_row;
};

#define FEW_SAMPLER_DEF_VERSION 1
struct few_sampler_def {
  int version;          /* FEW_SAMPLER_DEF_VERSION */
  const char *name;     /* "heun" */
  const char *source;   /* the paper; "" or NULL: none */
  const char *help;     /* one line */
  const char *schedule; /* sampling times by default, of few list schedules: "karras" */
  int steps;            /* by default */
  int order;            /* of accuracy on the probability-flow ODE; 0: not a solver of it */
  int evals_per_step;
  bool fresh_noise;                 /* adds noise on the way */
  bool both_ways;                   /* runs from images to noise too (few_encode) */
  bool jumps;                       /* only for networks that take the size of a step */
  bool fitted;                      /* needs few_sampling.olss, which has the times */
  const struct few_option *options; /* NULL: none */
  size_t options_size;
  few_status (*run)(few_ctx *ctx, struct few_sampling *s); /* from t[0] to t[steps] */
};

/* FEW_E_INVALID, with a sentence, for a NULL, another version, a missing member or a name that is
 * taken. */
FEW_API FEW_MUST_USE few_status few_ctx_add_sampler(few_ctx *ctx,
                                                    const struct few_sampler_def *def);

/* ---- For run() ---- */

/* Every step is DDIM's, with `to` where it leads. */
FEW_API few_status few_sampling_ddim(few_ctx *ctx, struct few_sampling *s);
/* z = standard normals of this draw. */
FEW_API void few_sampling_noise(float *z, const struct few_sampling *s, int draw);
/* out = line.x x + line.y y on the batch, in f64 and rounded once; out may be x or y. */
FEW_API void few_sampling_line(float *out, const struct few_sampling *s, struct few_line line,
                               const float *x, const float *y);

#ifdef __cplusplus
}
#endif
#endif
