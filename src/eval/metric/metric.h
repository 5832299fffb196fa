/* metric.h - metrics on what two sets have kept. A metric is one file and one row in metrics.def.
 */
#ifndef FEW_SRC_METRIC_H
#define FEW_SRC_METRIC_H

#include "knn.h"
#include "set.h"

enum { FEW_METRIC_VALUES = 2, FEW_METRIC_HOW = 120 };

enum few_metric_ball { FEW_BALL_OWN, FEW_BALL_CLOSED, FEW_BALL_OPEN };

struct few_metric_opts {
  int k;                    /* nearest neighbours; 0: 3 for pr, 5 for dc, as their papers have it */
  int ball;                 /* few_metric_ball; OWN: closed for pr, open for dc */
  int subsets, subset_size; /* of kid */
  int splits;               /* of is */
  uint64_t seed;            /* of kid's subsets */
};

/* Two sets to compare; `reference` is NULL for metrics that need none. */
struct few_metric_case {
  few_workers *w;
  const struct few_set *set, *reference;
  const struct few_metric_opts *o;
  bool replicate; /* a part of a set: what there is to warn of was said of the whole */
  bool knn_done[FEW_KNN_RULES]; /* pr and dc share one pass over all distances */
  struct few_knn_result knn[FEW_KNN_RULES];
};

struct few_metric_value {
  const char *name;     /* "recall" */
  double value, error;  /* error: NaN where there is none */
  const char *error_of; /* what the error is the standard deviation over: "subsets"; "" none */
  int64_t n, n_ref;     /* images that went in; n_ref 0: no reference */
  char how[FEW_METRIC_HOW];
};

struct few_metric {
  const char *name, *alias, *source, *help;
  unsigned needs;
  int n_values;
  /* The least images, of each set that it looks at. */
  int64_t (*least)(const struct few_metric_opts *o);
  few_status (*run)(few_ctx *ctx, struct few_metric_case *c, struct few_metric_value *out);
};

#define FEW_METRIC(name) extern const struct few_metric few__metric_##name;
#include "metrics.def"
#undef FEW_METRIC

int few__metric_count(void);
const struct few_metric *few__metric_at(int i);
/* By name or alias, of so many letters; NULL: none. */
const struct few_metric *few__metric_find(const char *name, size_t length);

/* For fd and sfd: the Frechet distance of two ended moments as a metric's value. */
few_status few__metric_moments(few_ctx *ctx, const struct few_metric_case *c, const few_moments *a,
                               const few_moments *b, const char *name,
                               struct few_metric_value *out);

/* For pr and dc: fill knn[rule]. */
enum { FEW_KNN_PR, FEW_KNN_DC };
few_status few__metric_knn(few_ctx *ctx, struct few_metric_case *c, int rule);
struct few_knn_rule few__metric_rule(const struct few_metric_opts *o, int rule);
/* "k 3, closed balls" */
void few__metric_rule_text(char how[FEW_METRIC_HOW], const struct few_metric_opts *o, int rule);

/* Standard errors over the images of c->set, which was made with `hold`, by so many replicates,
 * into value[metric i][v] of the metrics whose bit i of `wanted` is set; the rest of these is as
 * the metrics left it. */
few_status few__bootstrap(few_ctx *ctx, const struct few_metric_case *c, unsigned wanted,
                          int replicates, struct few_metric_value (*value)[FEW_METRIC_VALUES]);

/* Mean, and standard deviation (n - 1; NaN for one), of what subsets, splits or seeds gave. */
void few__metric_spread(int64_t n, const double *x, double *mean, double *error);

#endif
