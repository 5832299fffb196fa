/* ode.c - Dormand and Prince, "A family of embedded Runge-Kutta formulae" (1980).
 *
 * There are seven stages; the last is the first of the next step. A step goes to the solution of
 * 5th order. Its difference from the embedded solution of 4th order is the error estimate e, in
 * units of the tolerance. The step size is multiplied by 0.9 e^(-1/5).
 * */
#include "ode.h"

#include <math.h>

enum { STAGES = 7 };

static const double node[STAGES] = {0, 1. / 5, 3. / 10, 4. / 5, 8. / 9, 1, 1};
static const double tableau[STAGES][STAGES - 1] = {
    {0},
    {1. / 5},
    {3. / 40, 9. / 40},
    {44. / 45, -56. / 15, 32. / 9},
    {19372. / 6561, -25360. / 2187, 64448. / 6561, -212. / 729},
    {9017. / 3168, -355. / 33, 46732. / 5247, 49. / 176, -5103. / 18656},
    {35. / 384, 0, 500. / 1113, 125. / 192, -2187. / 6784, 11. / 84},
};
/* 5th-order weights minus 4th-order weights. */
static const double error_weight[STAGES] = {71. / 57600,      0,         -71. / 16695, 71. / 1920,
                                            -17253. / 339200, 22. / 525, -1. / 40};

/* Computes k[s] = f at stage s, for s = 1..6, and writes the state after the step into `end`.
 * Returns the error in units of the tolerance. */
static double attempt(struct ode *o, double t, double h, const double *y, double *k[STAGES],
                      double *end) {
  for (int s = 1; s < STAGES; s++) {
    for (int64_t i = 0; i < o->n; i++) {
      double sum = 0;
      for (int j = 0; j < s; j++) sum += tableau[s][j] * k[j][i];
      end[i] = y[i] + h * sum;
    }
    o->f(o->user, t + node[s] * h, end, k[s]);
    o->evals++;
  }
  double worst = 0;
  for (int64_t i = 0; i < o->n; i++) {
    double e = 0;
    for (int s = 0; s < STAGES; s++) e += error_weight[s] * k[s][i];
    e = fabs(h * e) / (o->tol * (1 + fmax(fabs(y[i]), fabs(end[i]))));
    if (e > worst) worst = e;
    if (isnan(e)) return e;
  }
  return worst;
}

static few_status march(few_ctx *ctx, struct ode *o, double t0, double t1, double *y,
                        double *k[STAGES], double *end) {
  double t = t0, h = (t1 - t0) / 100;
  o->f(o->user, t, y, k[0]);
  o->evals = 1;
  o->steps = 0;
  for (bool last = t0 == t1; !last;) {
    last = fabs(h) >= fabs(t1 - t);
    if (last) h = t1 - t;
    double e = attempt(o, t, h, y, k, end);
    if (e <= 1) {
      t += h;
      o->steps++;
      memcpy(y, end, (size_t)o->n * sizeof *y);
      double *first = k[0]; /* the last stage was f at the new point */
      k[0] = k[STAGES - 1];
      k[STAGES - 1] = first;
    } else {
      last = false;
    }
    double grow = 0.9 * pow(e, -0.2); /* infinite for e = 0 */
    if (!(grow > 0.2)) grow = 0.2;    /* also if e is NaN */
    h *= fmin(grow, e <= 1 ? 5 : 1);
    if (!last && fabs(h) < 1e-15 * (fabs(t) + fabs(t1 - t0)))
      return few__fail(ctx, FEW_E_INVALID,
                       "no step at t = %g meets the tolerance %g; try a larger one", t, o->tol);
  }
  return FEW_OK;
}

few_status ode_solve(few_ctx *ctx, struct ode *o, double t0, double t1, double *y) {
  assert(o->n >= 0 && o->tol > 0);
  double *scratch = NULL, *k[STAGES];
  FEW_TRY(FEW_NEW(ctx, &scratch, (STAGES + 1) * o->n + 1));
  for (int s = 0; s < STAGES; s++) k[s] = scratch + s * o->n;
  few_status st = march(ctx, o, t0, t1, y, k, scratch + STAGES * o->n);
  few__free(ctx, scratch);
  return st;
}
