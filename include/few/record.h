/* few/record.h - what runs and evaluations have written, read back: numbers over the steps of a
 * run, reports of few_eval, and both as a drawing of curves.
 *
 * Records are read once and do not follow their files. Errors are recorded in the context. A record
 * serves one thread at a time and must be freed before its context.
 */
#ifndef FEW_RECORD_H
#define FEW_RECORD_H

#include "few/base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct few_record few_record;

/* Reads a run's directory, its log (a name that ends in .jsonl; recipe.ini beside it is read too),
 * or the JSON of few_eval_json in a file. An incomplete last line of a log is left out.
 * FEW_E_FORMAT, with the line, for a file that is none of these. On failure *out is NULL. */
FEW_API FEW_MUST_USE few_status few_record_open(few_record **out, few_ctx *ctx, const char *path);
FEW_API void few_record_free(few_record *r); /* NULL is fine */

/* Texts are "" and numbers NaN if they are unknown. Borrowed from the record. */
struct few_record_info {
  const char *name;   /* as it was opened */
  bool report;        /* of an evaluation; otherwise a run */
  const char *source; /* what a report measured: a model's file, images */
  const char *net, *objective, *data;
  double step;    /* training steps that were made */
  double batch;   /* rows per step */
  double seconds; /* of training, over all its parts */
  int n_series, n_evals;
};
FEW_API void few_record_info(struct few_record_info *out, size_t size, const few_record *r);

/* A number over the steps of a run. The key is that of the log: "loss", "mse_by_time/0" for the
 * first member of an array, "eval/fd" for a metric. `space` says in what a metric is measured:
 * "fashion features, against fashion-mnist:test"; its id has the hashes too, so metrics may be
 * compared if it is equal. Both are "" for other numbers. */
struct few_record_series {
  const char *key, *space, *space_id;
  int n;
  const double *step, *seconds, *value; /* [n] */
};
FEW_API void few_record_series(struct few_record_series *out, size_t size, const few_record *r,
                               int i);

/* An evaluation: one of a run, or the only one of a report. */
struct few_record_number {
  const char *name;
  double value, error; /* error NaN: none was estimated */
};
struct few_record_eval {
  const char *space, *space_id; /* as above */
  const char *features, *reference, *sampler;
  double step; /* of training */
  double n, n_reference, steps, nfe, guidance, seconds;
  bool complete; /* false: the evaluation was interrupted */
  int n_numbers;
  const struct few_record_number *number;
};
FEW_API void few_record_eval(struct few_record_eval *out, size_t size, const few_record *r, int i);

/* ---- Curves ---- */

typedef enum few_curves_x {
  FEW_CURVES_STEP,
  FEW_CURVES_IMAGES,  /* steps times rows per step, which the recipe has */
  FEW_CURVES_SECONDS, /* of training */
  FEW_CURVES_NFE      /* of reports: network evaluations per image */
} few_curves_x;

struct few_curves_opts {
  int version; /* FEW_CURVES_OPTS_VERSION */
  int n;       /* records, at least 1 */
  few_record *const *record;
  const char *keys; /* separated by commas: a key of few_record_series, or its part before "/" for
                       all of that group; NULL: all but speed and time */
  few_curves_x x;
  bool log;      /* logarithmic y axes, without values at or below 0 */
  double smooth; /* weight of the values before, 0 (none) to below 1, as in TensorBoard */
};
#define FEW_CURVES_OPTS_VERSION 1
#define FEW_CURVES_OPTS_INIT \
  { FEW_CURVES_OPTS_VERSION, 0, NULL, NULL, FEW_CURVES_STEP, false, 0.0 }
/* Draws the curves as SVG: a panel for each key, a colour for each record. Metrics of different
 * spaces have panels of their own. *out is yours: few_text_free. */
FEW_API FEW_MUST_USE few_status few_curves_svg(char **out, few_ctx *ctx,
                                               const struct few_curves_opts *opts);
/* The same into a file, atomically. */
FEW_API FEW_MUST_USE few_status few_curves_write(few_ctx *ctx, const char *path,
                                                 const struct few_curves_opts *opts);

#ifdef __cplusplus
}
#endif
#endif
