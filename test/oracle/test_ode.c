/* The order, tolerance, direction and failures of the integrator. */
#include "testing.h"

#include "oracle/ode.h"

/* A rotation: y = (cos t, sin t) has y' = (-y1, y0). */
static void rotate(void *user, double t, const double *y, double *dy) {
  (void)user;
  (void)t;
  dy[0] = -y[1];
  dy[1] = y[0];
}

static double rotation_error(few_ctx *ctx, double tol, int64_t *steps) {
  double y[2] = {1, 0};
  struct ode o = {.n = 2, .f = rotate, .tol = tol};
  assert_ok(ctx, ode_solve(ctx, &o, 0, 20, y));
  *steps = o.steps;
  return hypot(y[0] - cos(20), y[1] - sin(20));
}

static void test_order_and_tolerance(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  int64_t n0, n1;
  double e0 = rotation_error(ctx, 1e-5, &n0), e1 = rotation_error(ctx, 1e-10, &n1);
  /* A rotation does not amplify the errors of steps, so at worst they add up. */
  assert_true(e0 < 2 * 1e-5 * (double)n0 && e1 < 2 * 1e-10 * (double)n1);
  double slope = log(e0 / e1) / log((double)n1 / (double)n0);
  assert_true(slope > 4.7 && slope < 6.0); /* order 5 */
  few_ctx_free(ctx);
}

static void quintic(void *user, double t, const double *y, double *dy) {
  (void)user;
  (void)y;
  dy[0] = 5 * t * t * t * t;
}

static void test_exact_for_order_5(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  double y = 0;
  struct ode o = {.n = 1, .f = quintic, .tol = 1e-3};
  assert_ok(ctx, ode_solve(ctx, &o, 0, 2, &y));
  assert_close(y, 32, (double)o.steps * 32 * 16 * 0x1p-53);
  few_ctx_free(ctx);
}

static void test_reversible(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  double y[2] = {0.3, -2};
  struct ode o = {.n = 2, .f = rotate, .tol = 1e-12};
  assert_ok(ctx, ode_solve(ctx, &o, 1, 5, y));
  int64_t steps = o.steps;
  assert_ok(ctx, ode_solve(ctx, &o, 5, 1, y));
  double bound = 3 * 1e-12 * (double)(steps + o.steps);
  assert_close(y[0], 0.3, bound);
  assert_close(y[1], -2, bound);
  assert_ok(ctx, ode_solve(ctx, &o, 1, 1, y)); /* a way of length 0 */
  assert_int_equal(o.steps, 0);
  few_ctx_free(ctx);
}

static void blow_up(void *user, double t, const double *y, double *dy) {
  (void)user;
  (void)t;
  dy[0] = y[0] * y[0];
}

static void test_failure(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  double y = 1; /* 1/(1-t): no solution at 2 */
  struct ode o = {.n = 1, .f = blow_up, .tol = 1e-8};
  assert_int_equal(ode_solve(ctx, &o, 0, 2, &y), FEW_E_INVALID);
  y = (double)NAN;
  assert_int_equal(ode_solve(ctx, &o, 0, 2, &y), FEW_E_INVALID);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_order_and_tolerance),
      cmocka_unit_test(test_exact_for_order_5),
      cmocka_unit_test(test_reversible),
      cmocka_unit_test(test_failure),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
