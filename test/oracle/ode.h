/* ode.h - solves ordinary differential equations to a tolerance, for exact maps in tests and
 * toys. */
#ifndef FEW_TEST_ODE_H
#define FEW_TEST_ODE_H

#include "base/base.h"

struct ode {
  int64_t n;
  void (*f)(void *user, double t, const double *y, double *dy);
  void *user;
  double tol;           /* of each step, in max norm, relative to 1 + |y| */
  int64_t steps, evals; /* out: number of steps and evaluations */
};

/* Integrates y from t0 to t1 (in either direction) by Dormand and Prince's 5(4) pair with adaptive
 * steps. Fails if the tolerance needs steps below rounding, or f is not finite; y is then
 * undefined. */
few_status ode_solve(few_ctx *ctx, struct ode *o, double t0, double t1, double *y);

#endif
