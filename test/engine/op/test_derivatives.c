/* Every op of ops.def has examples. On each example the tangent is compared with central
 * differences, and the cotangent passes the adjoint test. Then both are repeated with the tangent
 * in place of the op, because a loss with a JVP inside needs the derivative of a derivative. */
#include "testing.h"

#include "engine/op/op.h"
#include "few/check.h"

/* The error of central differences is h^2 f'''/6 + eps |f| / h. With h = 1e-5 this is 1e-10 + 2e-11
 * for values of order one. The bound is a hundred times larger, for examples with large third
 * derivatives. A wrong rule gives 1e-2. */
enum { STEPS = 2 };
static const double difference_bound = 1e-8;
/* For sums of fewer than 1e3 products of order one in f64. */
static const double adjoint_bound = 1e-12;

static void check(few_graph *g, few_node y, const char *what, int k) {
  struct few_check_result r;
  few_ctx *ctx = few__graph_ctx(g);
  assert_ok(ctx, few_check_derivatives(&r, g, y, 0, NULL, 0.7, 3));
  if (!(r.difference < difference_bound) || !(r.adjoint < adjoint_bound))
    fail_msg("%s, example %d: difference %.3g (bound %.1g), adjoint %.3g (bound %.1g)", what, k,
             r.difference, difference_bound, r.adjoint, adjoint_bound);
}

static few_node tangent_of(few_graph *g, few_node y) {
  few_node x[8], d[8], dy;
  int n = 0;
  for (few_node v = 0; v < few_graph_size(g) && n < 8; v++)
    if (few__op(g, v) == FEW_OP_INPUT) x[n++] = v;
  for (int i = 0; i < n; i++) {
    char name[16];
    snprintf(name, sizeof name, "t%d", i);
    d[i] = few_input(g, name, FEW_REAL, few_node_shape(g, x[i]));
  }
  assert_ok(few__graph_ctx(g), few_jvp(&dy, g, 1, &y, n, x, d));
  return dy;
}

static void test_every_op(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  int checked = 0;
  for (few_op op = 0; op < FEW_OP_COUNT; op++) {
    const struct few_op_def *def = few__op_def(op);
    if (def->flags & FEW_OP_FLAT) continue; /* its derivative is declared to be zero */
    if (!def->n_examples) fail_msg("op %s has no example: add one in its file", def->name);
    for (int k = 0; k < def->n_examples; k++, checked++) {
      for (int order = 1; order <= STEPS; order++) {
        few_graph *g;
        assert_ok(ctx, few_graph_create(&g, ctx));
        few_node y = def->example(g, k);
        if (order == 2) y = tangent_of(g, y);
        assert_ok(ctx, few_graph_status(g));
        char what[64];
        snprintf(what, sizeof what, "%s%s", order == 2 ? "tangent of " : "", def->name);
        if (y != FEW_NONE) check(g, y, what, k);
        few_graph_free(g);
      }
    }
  }
  assert_true(checked > 60);
  few_ctx_free(ctx);
}

/* The checker must be able to fail: a function whose declared derivative is wrong. */
static void test_checker_sees_a_wrong_rule(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_graph *g;
  struct few_check_result r;
  assert_ok(ctx, few_graph_create(&g, ctx));
  few_node x = few_input(g, "x", FEW_REAL, FEW_SHAPE(5));
  few_node y = few_mul(g, few_stop(g, few_sin(g, x)), x); /* claims that sin x is constant */
  assert_ok(ctx, few_check_derivatives(&r, g, y, 0, NULL, 1, 1));
  assert_true(r.difference > 1e-2);
  assert_true(r.adjoint < adjoint_bound); /* the adjoint test alone does not detect it */
  few_graph_free(g);
  few_ctx_free(ctx);
}

/* A derivative with respect to an intermediate value u includes every path through u. So
 * simplification must not bypass u, as by merging two affines or two reshapes. Paths from the
 * operands of u that do not pass through u do not count. */
static void test_intermediate_variables(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_graph *g;
  assert_ok(ctx, few_graph_create(&g, ctx));
  few_node x = few_input(g, "x", FEW_REAL, FEW_SHAPE(2, 3));
  few_node u = few_affine(g, x, 2, 1), v = few_reshape(g, u, FEW_SHAPE(3, 2));
  few_node y = few_affine(g, u, 3, 0), z = few_reshape(g, v, FEW_SHAPE(6)), dy, dz, dx[2];
  assert_ok(ctx, few_jvp(&dy, g, 1, &y, 1, &u, &x));
  assert_ok(ctx, few_jvp(&dz, g, 1, &z, 1, &v, &v));
  assert_true(dy != FEW_NONE && dz != FEW_NONE);
  few_node p = few_mul(g, x, u); /* u counts as independent of x */
  assert_ok(ctx, few_vjp(dx, g, 1, &p, &x, 2, (few_node[]){x, u}));
  assert_int_equal(dx[0], few_mul(g, x, u));
  assert_int_equal(dx[1], few_mul(g, x, x));
  few_graph_free(g);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_op),
      cmocka_unit_test(test_intermediate_variables),
      cmocka_unit_test(test_checker_sees_a_wrong_rule),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
