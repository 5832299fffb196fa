/* Value numbering: equal expressions are one node and others are not, even after the table has
 * grown. Also what simplification does and must not do, and the scopes of nodes. */
#include "testing.h"

#include "engine/op/op.h"

static few_ctx *ctx;

static int setup(void **state) {
  ctx = test_ctx();
  return few_graph_create((few_graph **)state, ctx);
}

static int teardown(void **state) {
  const few_status st = few_graph_status(*state);
  few_graph_free(*state);
  few_ctx_free(ctx);
  return st;
}

static void test_equal_expressions(void **state) {
  few_graph *g = *state;
  few_node x = few_input(g, "x", FEW_REAL, FEW_SHAPE(2, 3));
  few_node y = few_silu(g, few_affine(g, x, 2, 1));
  const int n = few_graph_size(g);
  assert_int_equal(few_silu(g, few_affine(g, x, 2, 1)), y);
  assert_int_equal(few_input(g, "x", FEW_REAL, FEW_SHAPE(2, 3)), x);
  assert_int_equal(few_graph_size(g), n);
}

/* Attributes with equal bytes that belong to different ops, and attributes that differ in one
 * byte. */
static void test_unequal_expressions(void **state) {
  few_graph *g = *state;
  few_node x = few_input(g, "x", FEW_REAL, FEW_SHAPE(4, 4));
  few_node image = few_input(g, "image", FEW_REAL, FEW_SHAPE(1, 4, 4, 4));
  few_node w = few_param(g, "w", FEW_SHAPE(3, 3, 4, 4));
  few_node qkv = few_input(g, "qkv", FEW_REAL, FEW_SHAPE(1, 2, 3, 2, 2));
  const few_node all[] = {
      few_slice(g, x, 0, 1, 2),
      few_slice(g, x, 1, 1, 2),
      few_slice(g, x, 0, 2, 2),
      few_slice(g, x, 0, 1, 3),
      few_pad(g, x, 0, 1, 2),
      few_pad(g, x, 0, 2, 1),
      few_affine(g, x, 2, 1),
      few_affine(g, x, 2, -1),
      few_affine(g, x, 1, 2),
      few_matmul(g, x, x, false, false),
      few_matmul(g, x, x, true, false),
      few_matmul(g, x, x, false, true),
      few_reshape(g, x, FEW_SHAPE(2, 8)),
      few_reshape(g, x, FEW_SHAPE(8, 2)),
      few_reshape(g, x, FEW_SHAPE(16)),
      few_sum(g, x, FEW_SHAPE(1, 4)),
      few_sum(g, x, FEW_SHAPE(4, 1)),
      few_transpose(g, x, (int[]){1, 0}),
      few_conv(g, image, w, 1, 1),
      few_conv(g, image, w, 2, 1),
      few_conv(g, image, w, 1, 0),
      few_down(g, image, 2, (const double[]){1, 1}),
      few_down(g, image, 4, (const double[]){1, 3, 3, 1}),
      few_up(g, image, 2, (const double[]){1, 1}),
      few_norm(g, image, 2, true, 1e-5),
      few_norm(g, image, 4, true, 1e-5),
      few_norm(g, image, 2, false, 1e-5),
      few_norm(g, image, 2, true, 1e-6),
      few_attention(g, qkv, 0.5),
      few_attention(g, qkv, 0.25),
      few_concat(g, 0, 2, (few_node[]){x, x}),
      few_concat(g, 1, 2, (few_node[]){x, x}),
      few_randn(g, 1, FEW_SHAPE(2)),
      few_randn(g, 2, FEW_SHAPE(2)),
      few_randu(g, 1, FEW_SHAPE(2)),
      few_randn(g, 1, FEW_SHAPE(3)),
  };
  for (int i = 0; i < FEW_COUNT(all); i++) {
    assert_true(all[i] != FEW_NONE);
    for (int k = 0; k < i; k++)
      if (all[i] == all[k]) fail_msg("expressions %d and %d are one node", k, i);
  }
}

static void test_sources(void **state) {
  few_graph *g = *state;
  const double a[] = {1, 2}, b[] = {1, 3};
  assert_int_equal(few_const(g, FEW_SHAPE(2), a), few_const(g, FEW_SHAPE(2), a));
  assert_true(few_const(g, FEW_SHAPE(2), a) != few_const(g, FEW_SHAPE(2), b));
  assert_true(few_const(g, FEW_SHAPE(2), a) != few_const(g, FEW_SHAPE(1, 2), a));
  assert_true(few_input(g, "a", FEW_REAL, FEW_SHAPE(2)) != few_param(g, "a", FEW_SHAPE(2)));
  assert_true(few_param(g, "a", FEW_SHAPE(2)) != few_param(g, "b", FEW_SHAPE(2)));
  assert_int_equal(few_fill(g, NAN, FEW_SCALAR), few_fill(g, NAN, FEW_SCALAR));
  assert_true(few_fill(g, 0.0, FEW_SCALAR) != few_fill(g, -0.0, FEW_SCALAR));
}

/* The bytes after the attributes of an op are 0, since they are hashed and compared. */
static void test_attributes_are_cleared(void **state) {
  (void)state;
  union few_attr a, b;
  memset(&a, 0xff, sizeof a);
  memset(&b, 0x55, sizeof b);
  a = FEW_ATTR(matmul, 1, 0);
  b = FEW_ATTR(matmul, 1, 0);
  assert_memory_equal(a.bytes, b.bytes, sizeof a);
  for (size_t i = sizeof a.matmul; i < sizeof a; i++) assert_int_equal(a.bytes[i], 0);
  assert_int_equal(sizeof a.conv, 24); /* no padding in any member with mixed types */
  assert_int_equal(sizeof a.norm, 16);
  assert_int_equal(sizeof a.resample, 8 + 8 * FEW_MAX_TAPS);
  assert_true(sizeof a == sizeof a.bytes);
}

/* With many more nodes than the first size of the table, every node is found and none is made
 * twice. */
static void test_growth(void **state) {
  enum { MANY = 5000 };
  few_graph *g = *state;
  few_node x = few_input(g, "x", FEW_REAL, FEW_SHAPE(2)), node[MANY];
  for (int i = 0; i < MANY; i++) node[i] = few_affine(g, x, 2 + i, 0);
  const int n = few_graph_size(g);
  for (int i = 0; i < MANY; i++) assert_int_equal(few_affine(g, x, 2 + i, 0), node[i]);
  assert_int_equal(few_graph_size(g), n);
}

static double value_of(few_graph *g, few_node n) {
  double v = NAN;
  assert_true(few__fill_value(g, n, &v));
  return v;
}

static void test_simplified(void **state) {
  few_graph *g = *state;
  const struct few_shape s = FEW_SHAPE(2, 3);
  few_node x = few_input(g, "x", FEW_REAL, s), zero = few_fill(g, 0, s), one = few_fill(g, 1, s);
  assert_int_equal(few_mul(g, x, one), x);
  assert_int_equal(few_add(g, zero, x), x);
  assert_int_equal(few_sub(g, x, zero), x);
  assert_int_equal(few_affine(g, x, 1, 0), x);
  assert_int_equal(few_reshape(g, x, s), x);
  assert_int_equal(few_broadcast(g, x, s), x);
  assert_int_equal(few_sum(g, x, s), x);
  assert_int_equal(few_transpose(g, x, (int[]){0, 1}), x);
  assert_int_equal(few_slice(g, x, 1, 0, 3), x);
  assert_int_equal(few_pad(g, x, 1, 0, 0), x);
  assert_int_equal(few_concat(g, 0, 1, &x), x);
  assert_int_equal(few_mul(g, x, zero), zero);
  assert_close(value_of(g, few_exp(g, few_add(g, one, one))), exp(2), 0);
  assert_close(value_of(g, few_sum(g, one, FEW_SHAPE(1, 1))), 6, 0);
  assert_int_equal(few_stop(g, one), one);
  few_node y = few_exp(g, x);
  assert_true(few_stop(g, y) != y);
}

/* Simplification looks at constants only. It never reaches through an operand: a derivative with
 * respect to that operand would miss the path. */
static void test_not_simplified(void **state) {
  few_graph *g = *state;
  few_node x = few_input(g, "x", FEW_REAL, FEW_SHAPE(2, 3)), dx;
  few_node minus = few_neg(g, x), flat = few_reshape(g, x, FEW_SHAPE(6));
  few_node turned = few_transpose(g, x, (int[]){1, 0});
  assert_true(few_neg(g, minus) != x);
  assert_true(few_reshape(g, flat, FEW_SHAPE(2, 3)) != x);
  assert_true(few_transpose(g, turned, (int[]){1, 0}) != x);
  assert_true(few_sub(g, x, x) != few_fill(g, 0, FEW_SHAPE(2, 3)));
  few_node loss = few_sum_all(g, few_neg(g, minus));
  assert_ok(ctx, few_grad(&dx, g, loss, 1, &minus));
  assert_true(dx != FEW_NONE);
}

/* Operands come before their readers: node numbers are a topological order. */
static void test_order(void **state) {
  few_graph *g = *state;
  few_node x = few_input(g, "x", FEW_REAL, FEW_SHAPE(2, 4, 4, 2)), dx;
  few_node y =
      few_norm(g, few_conv(g, x, few_param(g, "w", FEW_SHAPE(3, 3, 2, 2)), 1, 1), 1, true, 1e-3);
  assert_ok(ctx, few_grad(&dx, g, few_mean_all(g, few_square(g, y)), 1, &x));
  for (few_node v = 0; v < few_graph_size(g); v++) {
    const struct few_node_data *d = few__node(g, v);
    for (int k = 0; k < d->n_in; k++) assert_true(0 <= d->in[k] && d->in[k] < v);
  }
}

static void test_scopes(void **state) {
  few_graph *g = *state;
  few_node x = few_input(g, "x", FEW_REAL, FEW_SHAPE(2));
  few_scope_push(g, "enc.%d", 0);
  few_scope_push(g, "conv");
  few_node y = few_exp(g, x);
  few_scope_pop(g);
  few_node z = few_log(g, y);
  few_scope_pop(g);
  few_scope_push(g, "late");
  assert_int_equal(few_exp(g, x), y);
  few_node late = few_sin(g, y);
  few_scope_pop(g);
  assert_string_equal(few__node(g, x)->scope, "");
  assert_string_equal(few__node(g, y)->scope, "/enc.0/conv"); /* where it was first built */
  assert_string_equal(few__node(g, z)->scope, "/enc.0");
  assert_string_equal(few__node(g, late)->scope, "/late");
  assert_string_equal(few_node_op(g, late), "sin");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void) {
  const struct CMUnitTest tests[] = {TEST(test_equal_expressions),
                                     TEST(test_unequal_expressions),
                                     TEST(test_sources),
                                     TEST(test_attributes_are_cleared),
                                     TEST(test_growth),
                                     TEST(test_simplified),
                                     TEST(test_not_simplified),
                                     TEST(test_order),
                                     TEST(test_scopes)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
