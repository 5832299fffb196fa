/* few/check.h - checks derivatives.
 *
 * Two tests of a function y = f(x) that is given as a graph, in f64 on the reference backend:
 *   difference: (f(x + h d) - f(x - h d)) / 2h = J d; central differences are exact to h^2;
 *   adjoint:    <w, J d> = <J^T w, d> for random w and d.
 * Each finds mistakes that the other misses.
 */
#ifndef FEW_CHECK_H
#define FEW_CHECK_H

#include "few/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

struct few_check_result {
  double difference; /* |central difference - J d| / (|J d| + |f| * 2e-16 / h + tiny): relative */
  double adjoint;    /* |<w,Jd> - <J^T w,d>| / (|w| |J d| + |J^T w| |d| + tiny): relative */
  double tangent;    /* |J d|; 0: the test compared zeros */
};

struct few_check_opts {
  int version;        /* FEW_CHECK_OPTS_VERSION */
  double scale, step; /* standard deviation of drawn values; h of the differences */
  uint64_t seed;
  void *user;
  /* Fills the n values of input or parameter `name` at which the derivatives are checked. If it
   * returns false, these values are drawn. NULL: all values are drawn. */
  bool (*value)(void *user, const char *name, int64_t n, double *out);
};
#define FEW_CHECK_OPTS_VERSION 1
#define FEW_CHECK_OPTS_INIT \
  { FEW_CHECK_OPTS_VERSION, 1.0, 1e-5, 1, NULL, NULL }
/* Checks the derivatives of y with respect to x[0..n_x). If n_x is 0, these are all real inputs and
 * parameters of the graph. Values are drawn from N(0, scale^2) by `seed`; labels are 0, 1, 2 ...
 * Adds nodes to the graph. FEW_E_INVALID for a node of another graph and for options out of
 * range. */
FEW_API FEW_MUST_USE few_status few_check_function(struct few_check_result *result, few_graph *g,
                                                   few_node y, int n_x, const few_node *x,
                                                   const struct few_check_opts *opts);

/* The same, with all values drawn. */
static inline FEW_MUST_USE few_status few_check_derivatives(struct few_check_result *result,
                                                            few_graph *g, few_node y, int n_x,
                                                            const few_node *x, double scale,
                                                            uint64_t seed) {
  struct few_check_opts o = FEW_CHECK_OPTS_INIT;
  o.scale = scale;
  o.seed = seed;
  return few_check_function(result, g, y, n_x, x, &o);
}

#ifdef __cplusplus
}
#endif
#endif
