/* few/loop.h - train on what the generation before made, again and again. */
#ifndef FEW_LOOP_H
#define FEW_LOOP_H

#include "few/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Self-consuming loops (Alemohammad et al., "Self-Consuming Generative Models Go MAD", arXiv
 * 2307.01850). The first generation is trained on real data; each later one on
 *   synthetic: what the one before made, alone;
 *   augment:   the same real data and what the one before made;
 *   fresh:     new real data and what the one before made. */
enum few_loop_kind { FEW_LOOP_SYNTHETIC, FEW_LOOP_AUGMENT, FEW_LOOP_FRESH };

struct few_loop_opts {
  int version;        /* FEW_LOOP_OPTS_VERSION */
  const char *recipe; /* of every generation, as in few_train; its `data` are the real ones */
  const char *run;    /* directory, made if missing */
  int n_overrides;
  const char *const *overrides; /* "key=value" */
  int generations;              /* at least 1 */
  int kind;                     /* few_loop_kind */
  int64_t n_real;               /* real items a generation; 0: all, or of `fresh` an equal part */
  int64_t n_synthetic;          /* items that each makes; 0: n_real */
  double guidance;      /* of their sampling, with a bias of 1/guidance in the paper's terms */
  int steps;            /* of it; 0: the sampler's own */
  const char *features; /* what distances are in; NULL: fashion or pixels, by the data */
  const char *metrics;  /* NULL: fd and pr, of points also energy */
  bool even; /* samples have all classes equally often; otherwise as often as the real data */
};
#define FEW_LOOP_OPTS_VERSION 2
#define FEW_LOOP_OPTS_INIT                                                                       \
  {                                                                                              \
    FEW_LOOP_OPTS_VERSION, NULL, NULL, 0, NULL, 1, FEW_LOOP_SYNTHETIC, 0, 0, 1.0, 0, NULL, NULL, \
        false                                                                                    \
  }

/* Run the loop, resuming what the directory holds: DIR/generation-001/ has the data, the run, the
 * samples and eval.json (docs/eval.md) of the first, and DIR/loop.csv a row a generation. A
 * directory of another loop is refused, naming what differs; more generations are allowed. */
FEW_API FEW_MUST_USE few_status few_loop(few_ctx *ctx, const struct few_loop_opts *opts);

#ifdef __cplusplus
}
#endif
#endif
