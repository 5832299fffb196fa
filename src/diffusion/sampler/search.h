/* search.h - sampling times that suit a model best, found one after the other. */
#ifndef FEW_SRC_SEARCH_H
#define FEW_SRC_SEARCH_H

#include "base/base.h"

struct few_search {
  int steps;        /* times wanted, the first of which is given */
  double first;     /* t[0] */
  double last;      /* no time is below: 0 < last < first */
  double tolerance; /* a time is known to so much, in radians */
  /* How bad samples are with these n falling times; finite. */
  few_status (*value)(void *user, int n, const double *t, double *out);
  void *user;
  int evals; /* out: calls of value */
  int found; /* out: times that are known, also after a failure */
};

/* t[steps], and values[k] (may be NULL) of the first k + 1 of them. */
few_status few__search_times(few_ctx *ctx, struct few_search *s, double *t, double *values);

#endif
