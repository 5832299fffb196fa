/* search.h - search for the best sampling times of a model, one time after the other. */
#ifndef FEW_SRC_SEARCH_H
#define FEW_SRC_SEARCH_H

#include "base/base.h"

struct few_search {
  int steps;        /* number of times, the first of which is given */
  double first;     /* t[0] */
  double last;      /* smallest time allowed: 0 < last < first */
  double tolerance; /* precision of a time, radians */
  /* Sets *out to the metric of samples with these n falling times. It is finite; lower is
   * better. */
  few_status (*value)(void *user, int n, const double *t, double *out);
  void *user;
  int evals; /* out: calls of value */
  int found; /* out: times found so far, valid after a failure too */
};

/* Sets t[steps], and values[k] to the metric with the first k + 1 times; `values` may be NULL. */
few_status few__search_times(few_ctx *ctx, struct few_search *s, double *t, double *values);

#endif
