/* few/ext/metric.h - a metric of your own: numbers that compare a set of images with a reference.
 *
 *   static few_status run(struct few_metric_value *out, few_ctx *ctx, struct few_metric_input *in);
 *   static const struct few_metric_def def = {.version = FEW_METRIC_DEF_VERSION, .name = "mine",
 *       .source = "", .help = "what it measures", .needs = FEW_NEED_ROWS | FEW_NEED_REFERENCE,
 *       .n_values = 1, .least = least, .run = run};
 *   few_ctx_add_metric(ctx, &def);
 *
 * few_eval then measures it if few_eval_opts.metrics names it or is NULL, and few_train if the
 * recipe's eval_metrics names it. How stable this header is: few/ext/common.h.
 */
#ifndef FEW_EXT_METRIC_H
#define FEW_EXT_METRIC_H

#include "few/ext/common.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The input of a metric: a set of images, or points, as rows of features ---- */

/* The features of a set. They are computed in batches, and only what metrics need is kept. */
typedef struct few_eval_set few_eval_set;

/* What a metric needs. */
enum few_metric_need {
  FEW_NEED_MOMENTS = 1,   /* mean and covariance of the rows */
  FEW_NEED_SPATIAL = 2,   /* the same of the spatial features */
  FEW_NEED_ROWS = 4,      /* the rows: at most few_eval_opts.keep, chosen at random */
  FEW_NEED_LOGITS = 8,    /* the classifier's probabilities, summed */
  FEW_NEED_LABELS = 16,   /* how often the classifier's most probable class is the label */
  FEW_NEED_REFERENCE = 32 /* a reference; moments, spatial features and rows are kept of it too */
};

FEW_API int64_t few_eval_set_n(const few_eval_set *s);   /* images of the set */
FEW_API int64_t few_eval_set_dim(const few_eval_set *s); /* features of an image */

/* FEW_NEED_ROWS: how many rows are kept, and row i of them: row[dim]. */
FEW_API int64_t few_eval_set_rows(const few_eval_set *s);
FEW_API void few_eval_set_row(float *row, const few_eval_set *s, int64_t i);

/* FEW_NEED_MOMENTS: mean [dim], borrowed, and covariance out[dim][dim] with the divisor n - 1,
 * which needs 2 images. */
FEW_API const double *few_eval_set_mean(const few_eval_set *s);
FEW_API void few_eval_set_covariance(double *out, const few_eval_set *s);

/* FEW_NEED_LOGITS: the number of classes, and the mean of the probabilities: p[classes]. */
FEW_API int64_t few_eval_set_classes(const few_eval_set *s);
FEW_API void few_eval_set_marginal(double *p, const few_eval_set *s);

/* FEW_NEED_LABELS: images with a label, and how many of these the classifier agrees with. */
FEW_API int64_t few_eval_set_labelled(const few_eval_set *s);
FEW_API int64_t few_eval_set_agreeing(const few_eval_set *s);

/* ---- The definition ---- */

/* Whether the balls around rows include their surface. */
enum few_metric_ball {
  FEW_BALL_OWN, /* the metric's own choice */
  FEW_BALL_CLOSED,
  FEW_BALL_OPEN
};

/* The same as in few_eval_opts. */
struct few_metric_opts {
  int k; /* nearest neighbours; 0: the metric's own choice */
  enum few_metric_ball ball;
  int subsets, subset_size;
  int splits;
  uint64_t seed; /* of random choices */
};

struct few_metric_shared; /* the library's */

struct few_metric_input {
  const few_eval_set *set;
  const few_eval_set *reference; /* NULL unless the definition needs one */
  const struct few_metric_opts *opts;
  bool replicate; /* the set is a random half, for an error bar: do not warn of its size */
  struct few_metric_shared *shared;
};

enum { FEW_METRIC_VALUES = 4, FEW_METRIC_HOW = 120 };

struct few_metric_value {
  const char *name;         /* "recall"; must outlive the context, like the definition */
  double value;             /* finite; NaN: there is none */
  double error;             /* a standard deviation; NaN: there is none */
  const char *error_of;     /* the samples of the error: "subsets"; "": there is none */
  int64_t n, n_ref;         /* images measured; n_ref 0: no reference */
  char how[FEW_METRIC_HOW]; /* the variant in words: "k 3, closed balls" */
};

#define FEW_METRIC_DEF_VERSION 1
struct few_metric_def {
  int version;        /* FEW_METRIC_DEF_VERSION */
  const char *name;   /* "pr" */
  const char *source; /* the paper; "" or NULL: none */
  const char *help;   /* one line */
  const char *alias;  /* a second name; NULL: none */
  unsigned needs;     /* of few_metric_need */
  int n_values;       /* 1 to FEW_METRIC_VALUES */
  /* The least number of images in each set, or of rows if the metric needs rows; at least 1. */
  int64_t (*least)(const struct few_metric_opts *opts);
  /* Fills value[0 .. n_values - 1], all members. The sets have at least `least` images. */
  few_status (*run)(struct few_metric_value *value, few_ctx *ctx, struct few_metric_input *in);
};

/* FEW_E_INVALID, with a message in few_error, if def is NULL, has another version or lacks a
 * member, if its name is taken, or if there would be more than 32 metrics with the built-in ones.
 */
FEW_API FEW_MUST_USE few_status few_ctx_add_metric(few_ctx *ctx, const struct few_metric_def *def);

#ifdef __cplusplus
}
#endif
#endif
