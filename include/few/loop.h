/* few/loop.h - self-consuming loops: each generation is trained on samples of the one before. */
#ifndef FEW_LOOP_H
#define FEW_LOOP_H

#include "few/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Self-consuming loops (Alemohammad et al., "Self-Consuming Generative Models Go MAD", arXiv
 * 2307.01850). The first generation is trained on real data, each later one on
 *   synthetic: samples of the one before only;
 *   augment:   the same real data, and samples of the one before;
 *   fresh:     new real data, and samples of the one before. */
enum few_loop_kind { FEW_LOOP_SYNTHETIC, FEW_LOOP_AUGMENT, FEW_LOOP_FRESH };

struct few_loop_opts {
  int version;        /* FEW_LOOP_OPTS_VERSION */
  const char *recipe; /* of every generation, as in few_train; its data are the real data */
  const char *run;    /* directory, made if missing */
  int n_overrides;
  const char *const *overrides; /* "key=value" */
  int generations;              /* at least 1 */
  enum few_loop_kind kind;
  int64_t n_real;       /* real items per generation; 0: all; fresh: an equal part of them */
  int64_t n_synthetic;  /* samples that each generation makes; 0: n_real */
  double guidance;      /* guidance scale of the samples; the paper's bias is 1/guidance */
  int steps;            /* of the sampler; 0: its default */
  const char *features; /* feature network of the metrics; NULL: fashion or pixels, by the data */
  const char *metrics;  /* NULL: fd and pr; for points also energy */
  bool even; /* true: samples have all classes equally often; false: as often as the real data */
};
#define FEW_LOOP_OPTS_VERSION 2
#define FEW_LOOP_OPTS_INIT                                                                       \
  {                                                                                              \
    FEW_LOOP_OPTS_VERSION, NULL, NULL, 0, NULL, 1, FEW_LOOP_SYNTHETIC, 0, 0, 1.0, 0, NULL, NULL, \
        false                                                                                    \
  }

/* Runs the loop, or resumes the loop in the directory. DIR/generation-001/ has the data, the run,
 * the samples and eval.json (docs/eval.md) of the first generation; DIR/loop.csv has one row per
 * generation. FEW_E_INVALID if the directory has another loop; the message names the difference.
 * More generations are allowed. */
FEW_API FEW_MUST_USE few_status few_loop(few_ctx *ctx, const struct few_loop_opts *opts);

#ifdef __cplusplus
}
#endif
#endif
