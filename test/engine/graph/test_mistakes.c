/* After a wrong call of few/graph.h the graph has an error with a sentence, and the program
 * continues. */
#include "few/check.h"
#include "few/graph.h"
#include "testing.h"

static few_ctx *ctx;

static int setup(void **state) {
  ctx = test_ctx();
  return few_graph_create((few_graph **)state, ctx);
}

static int teardown(void **state) {
  few_graph_free(*state);
  few_ctx_free(ctx);
  return 0;
}

static void assert_failed(few_graph *g, const char *part) {
  assert_int_equal(few_graph_status(g), FEW_E_INVALID);
  if (!strstr(few_error(ctx), part)) fail_msg("\"%s\" without \"%s\"", few_error(ctx), part);
}

static void test_scopes_nest(void **state) {
  few_graph *g = *state;
  for (int i = 0; i < 1000; i++) few_scope_push(g, "a/scope/with/slashes.%d", i);
  few_input(g, "x", FEW_REAL, FEW_SHAPE(2));
  for (int i = 0; i < 1000; i++) few_scope_pop(g);
  assert_ok(ctx, few_graph_status(g));
  few_scope_push(g, "outer");
  few_scope_push(g, "%0500d", 7); /* truncated, and removed by one pop */
  few_scope_pop(g);
  few_log(g, few_input(g, "n", FEW_INDEX, FEW_SHAPE(2)));
  assert_failed(g, "at /outer: log");
}

static void test_deep_failure(void **state) {
  few_graph *g = *state;
  for (int i = 0; i < 300; i++) few_scope_push(g, "scope.%d", i);
  few_reshape(g, few_fill(g, 1, FEW_SHAPE(2)), FEW_SHAPE(3));
  assert_failed(g, "scope.299: reshape: [2] has 2 elements");
}

static void test_pop_without_push(void **state) {
  few_graph *g = *state;
  few_scope_push(g, "a");
  few_scope_pop(g);
  few_scope_pop(g);
  assert_failed(g, "without a few_scope_push");
}

enum { FAR = 1000 };

static few_node foreign(few_graph *g, few_node x) { return few_add(g, x, FAR); }
static few_node negative(few_graph *g, few_node x) { return few_add(g, x, -7); }
static few_node rank(few_graph *g, few_node x) {
  return few_reshape(g, x, (struct few_shape){.rank = 40});
}
static few_node rank_below(few_graph *g, few_node x) {
  return few_sum(g, x, (struct few_shape){.rank = -1});
}
static few_node wide(few_graph *g, few_node x) {
  return few_broadcast(g, x, (struct few_shape){.rank = INT32_MAX});
}
static few_node fill_rank(few_graph *g, few_node x) {
  (void)x;
  return few_fill(g, 1, (struct few_shape){.rank = 7});
}
static few_node huge(few_graph *g, few_node x) {
  return few_broadcast(g, x, FEW_SHAPE(INT64_MAX / 2, INT64_MAX / 2));
}
static few_node nothing(few_graph *g, few_node x) { return few_reshape(g, x, FEW_SHAPE(0, 4)); }
static few_node axis(few_graph *g, few_node x) { return few_slice(g, x, 9, 0, 1); }
static few_node outside(few_graph *g, few_node x) { return few_slice(g, x, 0, INT64_MAX, 1); }
static few_node pads(few_graph *g, few_node x) { return few_pad(g, x, 0, -1, 0); }
static few_node many(few_graph *g, few_node x) {
  few_node list[40];
  for (int i = 0; i < 40; i++) list[i] = x;
  return few_concat(g, 0, 40, list);
}
static few_node twice(few_graph *g, few_node x) { return few_transpose(g, x, (int[]){0, 0}); }
static few_node stride(few_graph *g, few_node x) { return few_conv(g, x, x, 0, 0); }
static few_node taps(few_graph *g, few_node x) {
  return few_down(g, few_reshape(g, x, FEW_SHAPE(1, 2, 2, 1)), 2, (double[]){1, -1});
}
static few_node no_name(few_graph *g, few_node x) {
  (void)x;
  return few_input(g, NULL, FEW_REAL, FEW_SHAPE(1));
}
static few_node no_values(few_graph *g, few_node x) {
  (void)x;
  return few_const(g, FEW_SHAPE(2), NULL);
}
static few_node purpose(few_graph *g, few_node x) {
  (void)x;
  return few_randn(g, 1u << 20, FEW_SHAPE(2));
}
static few_node groups(few_graph *g, few_node x) { return few_norm(g, x, 0, true, 1e-5); }
static few_node no_eps(few_graph *g, few_node x) { return few_norm(g, x, 1, true, (double)NAN); }
static few_node classes(few_graph *g, few_node x) {
  (void)x;
  return few_onehot(g, few_input(g, "label", FEW_INDEX, FEW_SHAPE(2)), -3);
}
static few_node seeds(few_graph *g, few_node x) {
  few_node dy, far = FAR;
  few_status st = few_jvp(&dy, g, 1, &x, 1, &x, &far);
  assert_int_equal(st, FEW_E_INVALID);
  return dy;
}
static few_node leaves(few_graph *g, few_node x) {
  few_node dx, far = FAR;
  assert_int_equal(few_grad(&dx, g, few_sum_all(g, x), 1, &far), FEW_E_INVALID);
  return dx;
}
static few_node loss(few_graph *g, few_node x) {
  few_node dx;
  assert_int_equal(few_grad(&dx, g, FAR, 1, &x), FEW_E_INVALID);
  return dx;
}

static void test_builders(void **state) {
  (void)state;
  static const struct {
    few_node (*make)(few_graph *g, few_node x);
    const char *part;
  } cases[] = {{foreign, "not a node of this graph"},
               {negative, "not a node of this graph"},
               {rank, "impossible shape"},
               {rank_below, "impossible shape"},
               {wide, "impossible shape"},
               {fill_rank, "impossible shape"},
               {huge, "impossible shape"},
               {nothing, "impossible shape"},
               {axis, "slice"},
               {outside, "slice"},
               {pads, "pad"},
               {many, "concat"},
               {twice, "permutation"},
               {stride, "conv"},
               {taps, "sum of the taps is 0"},
               {no_name, "give it a name"},
               {no_values, "give it values"},
               {purpose, "below 2^16"},
               {groups, "groups"},
               {no_eps, "eps"},
               {classes, "impossible shape"},
               {seeds, "not in this graph"},
               {leaves, "not in this graph"},
               {loss, "not in this graph"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    few_graph *g;
    assert_ok(ctx, few_graph_create(&g, ctx));
    few_node x = few_input(g, "x", FEW_REAL, FEW_SHAPE(2, 2));
    assert_int_equal(cases[i].make(g, x), FEW_NONE);
    assert_failed(g, cases[i].part);
    few_graph_free(g);
  }
}

static void test_looking(void **state) {
  few_graph *g = *state;
  const few_node none[] = {FEW_NONE, -5, 0, FAR};
  for (int i = 0; i < 4; i++) {
    assert_string_equal(few_node_op(g, none[i]), "none");
    assert_int_equal(few_node_shape(g, none[i]).rank, 0);
  }
}

static void test_checker(void **state) {
  few_graph *g = *state;
  struct few_check_result r;
  struct few_check_opts o = FEW_CHECK_OPTS_INIT;
  few_node x = few_input(g, "x", FEW_REAL, FEW_SHAPE(2)), y = few_square(g, x), far = FAR;
  assert_ok(ctx, few_check_function(&r, g, y, 0, NULL, &o));
  assert_int_equal(few_check_function(&r, g, far, 0, NULL, &o), FEW_E_INVALID);
  assert_int_equal(few_check_function(&r, g, y, 1, &far, &o), FEW_E_INVALID);
  assert_int_equal(few_check_function(&r, g, y, -1, &x, &o), FEW_E_INVALID);
  assert_int_equal(few_check_function(&r, g, y, 1, NULL, &o), FEW_E_INVALID);
  assert_int_equal(few_check_function(&r, g, y, 0, NULL, NULL), FEW_E_INVALID);
  o.step = 0;
  assert_int_equal(few_check_function(&r, g, y, 0, NULL, &o), FEW_E_INVALID);
  o.step = 1e-5;
  o.scale = (double)NAN;
  assert_int_equal(few_check_function(&r, g, y, 0, NULL, &o), FEW_E_INVALID);
  o.scale = 1;
  o.version = 99;
  assert_int_equal(few_check_function(&r, g, y, 0, NULL, &o), FEW_E_INVALID);
  assert_non_null(strstr(few_error(ctx), "few_check_opts has version 99"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_scopes_nest), TEST(test_deep_failure), TEST(test_pop_without_push),
      TEST(test_builders),    TEST(test_looking),      TEST(test_checker),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
