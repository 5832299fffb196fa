/* knn.h - balls around the rows of two sets, up to the k-th nearest neighbour, and which rows of
 * the other set they contain. */
#ifndef FEW_SRC_METRIC_KNN_H
#define FEW_SRC_METRIC_KNN_H

#include "base/workers.h"

enum { FEW_KNN_MAX_K = 64, FEW_KNN_RULES = 2 };

/* The ball of a row reaches to its k-th neighbour in its own set, not counting itself. A closed
 * ball contains its surface. */
struct few_knn_rule {
  int k;
  bool closed;
};

struct few_knn_result {
  double precision, recall; /* share of samples in a real ball; of real rows in a sample's */
  double density, coverage;
};

struct few_knn_job {
  few_workers *w;
  int64_t d, n_real, n_fake;
  const double *real, *fake; /* panels of gram.h */
  int rules;
  struct few_knn_rule rule[FEW_KNN_RULES];
};

/* Each k is below n_real and n_fake. out[rules]. */
few_status few__knn(few_ctx *ctx, const struct few_knn_job *job, struct few_knn_result *out);

#endif
