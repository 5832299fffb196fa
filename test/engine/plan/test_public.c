/* few/plan.h as a program uses it. Every op of the table runs. Arrays are bound by name. Each
 * mistake has a sentence. Executors run side by side, and several threads share one plan. */
#include "testing.h"

#include <pthread.h>

#include "engine/op/op.h"
#include "few/plan.h"

enum { ROWS = 4, WIDTH = 3 };

/* y = silu(2 x + noise), s = sum of x over rows. */
static few_plan *small_plan(few_ctx *ctx, int rows) {
  few_graph *g;
  few_plan *plan;
  assert_ok(ctx, few_graph_create(&g, ctx));
  few_node x = few_input(g, "x", FEW_REAL, FEW_SHAPE(rows, WIDTH));
  few_node w = few_param(g, "w", FEW_SHAPE(WIDTH, WIDTH));
  few_node noise = few_randn(g, 7, FEW_SHAPE(rows, WIDTH));
  few_node y = few_silu(g, few_add(g, few_matmul(g, x, w, false, false), noise));
  const struct few_plan_output out[] = {{"y", y}, {"s", few_sum(g, x, FEW_SHAPE(1, WIDTH))}};
  assert_ok(ctx, few_plan_create(&plan, g, 2, out, NULL));
  few_graph_free(g);
  return plan;
}

static const float weights[WIDTH * WIDTH] = {2, 0, 0, 0, 2, 0, 0, 0, 2};

static void bind(few_ctx *ctx, few_executor *e, const float *x, float *y, float *s) {
  assert_ok(ctx, few_executor_bind_input(e, "x", x));
  assert_ok(ctx, few_executor_bind_input(e, "w", weights));
  assert_ok(ctx, few_executor_bind_output(e, "y", y));
  assert_ok(ctx, few_executor_bind_output(e, "s", s));
}

static void test_arrays_and_cost(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_plan *plan = small_plan(ctx, ROWS);
  static const char *const names[] = {"x", "w", "y", "s"};
  static const enum few_plan_array_kind kinds[] = {FEW_PLAN_INPUT, FEW_PLAN_PARAM, FEW_PLAN_OUTPUT,
                                                   FEW_PLAN_OUTPUT};
  assert_int_equal(few_plan_array_count(plan), 4);
  for (int i = 0; i < 4; i++) {
    struct few_plan_array a;
    assert_true(few_plan_array_at(&a, sizeof a, plan, i));
    int k = 0;
    while (k < 4 && strcmp(names[k], a.name)) k++;
    assert_true(k < 4 && a.kind == kinds[k] && a.type == FEW_REAL && a.shape.rank == 2);
  }
  struct few_plan_cost cost;
  few_plan_get_cost(&cost, sizeof cost, plan);
  assert_true(cost.flops == 2.0 * ROWS * WIDTH * WIDTH);
  assert_int_equal(cost.param_bytes, sizeof weights);
  assert_true(cost.arena_bytes > 0 && cost.arena_bytes >= cost.scratch_bytes);
  assert_true(cost.instructions > 0 && cost.nodes >= cost.instructions);
  few_plan_free(plan);
  few_ctx_free(ctx);
}

/* Runs an example of the derivative test by the public calls, as a plan of its own. */
static void run_example(few_ctx *ctx, few_op op, int k) {
  few_graph *g;
  few_plan *plan;
  few_executor *e;
  assert_ok(ctx, few_graph_create(&g, ctx));
  const few_node y = few__op_def(op)->example(g, k);
  assert_ok(ctx, few_plan_create(&plan, g, 1, &(struct few_plan_output){"y", y}, NULL));
  assert_ok(ctx, few_executor_create(&e, ctx, plan));
  float *array[8];
  const int n = few_plan_array_count(plan);
  assert_true(n <= 8);
  for (int i = 0; i < n; i++) {
    struct few_plan_array a;
    assert_true(few_plan_array_at(&a, sizeof a, plan, i));
    const int64_t count = few_shape_count(a.shape);
    array[i] = malloc((size_t)count * sizeof(float));
    for (int64_t j = 0; j < count; j++) array[i][j] = NAN;
    if (a.kind == FEW_PLAN_OUTPUT) {
      assert_ok(ctx, few_executor_bind_output(e, a.name, array[i]));
      continue;
    }
    for (int64_t j = 0; j < count; j++) array[i][j] = 0.5f + 0.1f * (float)(j % 7);
    assert_ok(ctx, few_executor_bind_input(e, a.name, array[i]));
  }
  assert_ok(ctx, few_executor_run(e, NULL));
  const int64_t count = few_shape_count(few_node_shape(g, y));
  for (int64_t j = 0; j < count; j++)
    if (!isfinite(array[n - 1][j]))
      fail_msg("%s, example %d: %g", few__op_def(op)->name, k, (double)array[n - 1][j]);
  for (int i = 0; i < n; i++) free(array[i]);
  few_executor_free(e);
  few_plan_free(plan);
  few_graph_free(g);
}

static void test_every_op(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  for (int op = 0; op < FEW_OP_COUNT; op++)
    for (int k = 0; k < few__op_def((few_op)op)->n_examples; k++) run_example(ctx, (few_op)op, k);
  few_ctx_free(ctx);
}

/* In f64 on ref, the values agree up to the last bits. */
static void test_f64(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_graph *g;
  few_plan *plan;
  few_executor *e;
  struct few_plan_opts o = FEW_PLAN_OPTS_INIT;
  o.backend = "ref";
  o.f64 = true;
  assert_ok(ctx, few_graph_create(&g, ctx));
  few_node x = few_input(g, "x", FEW_REAL, FEW_SHAPE(2));
  assert_ok(ctx, few_plan_create(&plan, g, 1, &(struct few_plan_output){"y", few_exp(g, x)}, &o));
  assert_ok(ctx, few_executor_create(&e, ctx, plan));
  const double in[2] = {1, -3};
  double out[2];
  assert_ok(ctx, few_executor_bind_input(e, "x", in));
  assert_ok(ctx, few_executor_bind_output(e, "y", out));
  assert_ok(ctx, few_executor_run(e, NULL));
  for (int i = 0; i < 2; i++) assert_close(out[i], exp(in[i]), 4e-16 * exp(in[i]));
  few_executor_free(e);
  few_plan_free(plan);
  few_graph_free(g);
  few_ctx_free(ctx);
}

#define assert_refused(ctx, call, status, word)                                            \
  do {                                                                                     \
    assert_int_equal((call), (status));                                                    \
    if (!strstr(few_error(ctx), word)) fail_msg("no `%s` in: %s", (word), few_error(ctx)); \
  } while (0)

static void test_wrong_plans(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_graph *g;
  few_plan *plan;
  assert_ok(ctx, few_graph_create(&g, ctx));
  few_node x = few_input(g, "x", FEW_REAL, FEW_SHAPE(2));
  few_node label = few_input(g, "label", FEW_INDEX, FEW_SHAPE(2));
  const struct few_plan_output twice[] = {{"y", x}, {"y", x}}, none = {"y", FEW_NONE},
                               nameless = {NULL, x}, index = {"y", label}, right = {"y", x};
  struct few_plan_opts o = FEW_PLAN_OPTS_INIT;
  assert_refused(ctx, few_plan_create(&plan, g, 0, NULL, NULL), FEW_E_INVALID, "no outputs");
  assert_null(plan);
  assert_refused(ctx, few_plan_create(&plan, g, 2, twice, NULL), FEW_E_INVALID, "two outputs");
  assert_refused(ctx, few_plan_create(&plan, g, 1, &none, NULL), FEW_E_INVALID, "not a node");
  assert_refused(ctx, few_plan_create(&plan, g, 1, &nameless, NULL), FEW_E_INVALID, "no name");
  assert_refused(ctx, few_plan_create(&plan, g, 1, &index, NULL), FEW_E_INVALID, "index");
  o.version = 99;
  assert_refused(ctx, few_plan_create(&plan, g, 1, &right, &o), FEW_E_INVALID, "version 99");
  o = (struct few_plan_opts)FEW_PLAN_OPTS_INIT;
  o.backend = "abacus";
  assert_refused(ctx, few_plan_create(&plan, g, 1, &right, &o), FEW_E_INVALID, "abacus");
  few_add(g, x, few_input(g, "z", FEW_REAL, FEW_SHAPE(3)));
  assert_refused(ctx, few_plan_create(&plan, g, 1, &right, NULL), FEW_E_INVALID, "broadcast");
  assert_null(plan);
  few_graph_free(g);
  few_ctx_free(ctx);
}

/* Binding all arrays in one call, or running a plan once, gives the same as single calls. Arrays
 * may have any address that floats may have. */
static void test_one_call(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_plan *plan = small_plan(ctx, ROWS);
  few_executor *e;
  float x[ROWS * WIDTH + 1], y[3][ROWS * WIDTH + 1], s[3][WIDTH + 1];
  for (int i = 0; i < ROWS * WIDTH; i++) x[1 + i] = (float)i / 7;
  assert_ok(ctx, few_executor_create(&e, ctx, plan));
  bind(ctx, e, x + 1, y[0], s[0]);
  assert_ok(ctx, few_executor_run(e, NULL));
  for (int k = 1; k < 3; k++) {
    const struct few_plan_binding arrays[] = {
        {"x", x + 1, NULL}, {"w", weights, NULL}, {"y", NULL, y[k] + 1}, {"s", NULL, s[k] + 1}};
    if (k == 1) {
      assert_ok(ctx, few_executor_bind(e, 4, arrays));
      assert_ok(ctx, few_executor_run(e, NULL));
    } else
      assert_ok(ctx, few_plan_run(ctx, plan, 4, arrays, NULL));
    assert_memory_equal(y[k] + 1, y[0], sizeof(float) * ROWS * WIDTH);
    assert_memory_equal(s[k] + 1, s[0], sizeof(float) * WIDTH);
  }
  few_executor_free(e);
  few_plan_free(plan);
  few_ctx_free(ctx);
}

static void test_wrong_bindings(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_plan *plan = small_plan(ctx, ROWS);
  few_executor *e;
  float x[ROWS * WIDTH] = {0}, y[ROWS * WIDTH], s[WIDTH];
  struct few_run_opts o = FEW_RUN_OPTS_INIT;
  assert_ok(ctx, few_executor_create(&e, ctx, plan));
  assert_refused(ctx, few_executor_bind_input(e, "y", x), FEW_E_INVALID, "it has x, w");
  assert_refused(ctx, few_executor_bind_output(e, "x", y), FEW_E_INVALID, "it has y, s");
  assert_refused(ctx, few_executor_bind_input(e, NULL, x), FEW_E_INVALID, "(NULL)");
  assert_refused(ctx, few_executor_bind_input(e, "x", NULL), FEW_E_INVALID, "array");
  assert_refused(ctx, few_executor_run(e, NULL), FEW_E_INVALID, "not bound");
  bind(ctx, e, x, y, s);
  assert_ok(ctx, few_executor_run(e, NULL));
  const struct few_plan_binding neither = {"x", NULL, NULL}, both = {"y", y, y},
                                other = {"y", x, NULL};
  assert_refused(ctx, few_executor_bind(e, 1, &neither), FEW_E_INVALID, "`x`: give either");
  assert_refused(ctx, few_executor_bind(e, 1, &both), FEW_E_INVALID, "`y`: give either");
  assert_refused(ctx, few_executor_bind(e, 1, &other), FEW_E_INVALID, "it has x, w");
  assert_refused(ctx, few_plan_run(ctx, plan, 0, NULL, NULL), FEW_E_INVALID, "not bound");
  o.version = 0;
  assert_refused(ctx, few_executor_run(e, &o), FEW_E_INVALID, "version");
  assert_refused(ctx, few_executor_run_all(ctx, 0, &e, NULL), FEW_E_INVALID, "executors");
  few_executor_free(e);
  few_plan_free(plan);
  few_ctx_free(ctx);
}

/* A plan of 3 x ROWS rows gives the same bits as three executors of a plan of ROWS rows, including
 * the noise. */
static void test_side_by_side(void **state) {
  (void)state;
  enum { PARTS = 3 };
  few_ctx *ctx = test_ctx();
  few_plan *whole = small_plan(ctx, PARTS * ROWS), *part = small_plan(ctx, ROWS);
  few_executor *all, *some[PARTS];
  float x[PARTS * ROWS * WIDTH], y[PARTS * ROWS * WIDTH], z[PARTS * ROWS * WIDTH], s[PARTS][WIDTH],
      sum[WIDTH];
  struct few_run_opts o = FEW_RUN_OPTS_INIT;
  o.seed = 11;
  o.row0 = 5;
  o.row_step = ROWS;
  for (int i = 0; i < FEW_COUNT(x); i++) x[i] = (float)(i % 5) - 2;
  assert_ok(ctx, few_executor_create(&all, ctx, whole));
  bind(ctx, all, x, y, sum);
  assert_ok(ctx, few_executor_run(all, &o));
  for (int i = 0; i < PARTS; i++) {
    assert_ok(ctx, few_executor_create(&some[i], ctx, part));
    bind(ctx, some[i], x + i * ROWS * WIDTH, z + i * ROWS * WIDTH, s[i]);
  }
  for (int turn = 0; turn < 3; turn++) {
    memset(z, 0xff, sizeof z);
    assert_ok(ctx, few_executor_run_all(ctx, PARTS, some, &o));
    assert_memory_equal(y, z, sizeof y);
  }
  for (int k = 0; k < WIDTH; k++) assert_close(s[0][k] + s[1][k] + s[2][k], sum[k], 1e-5);
  for (int i = 0; i < PARTS; i++) few_executor_free(some[i]);
  few_executor_free(all);
  few_plan_free(whole);
  few_plan_free(part);
  few_ctx_free(ctx);
}

struct runner {
  const few_plan *plan;
  float y[ROWS * WIDTH];
};

/* A thread with a context and an executor of its own. */
static void *run_often(void *user) {
  struct runner *r = user;
  static const float x[ROWS * WIDTH] = {1, 2, 3};
  float s[WIDTH];
  few_ctx *ctx = test_ctx();
  few_executor *e;
  if (few_executor_create(&e, ctx, r->plan)) return "create";
  if (few_executor_bind_input(e, "x", x) || few_executor_bind_input(e, "w", weights) ||
      few_executor_bind_output(e, "y", r->y) || few_executor_bind_output(e, "s", s))
    return "bind";
  for (int i = 0; i < 100; i++)
    if (few_executor_run(e, NULL)) return "run";
  few_executor_free(e);
  few_ctx_free(ctx);
  return NULL;
}

static void test_threads(void **state) {
  (void)state;
  enum { THREADS = 4 };
  few_ctx *ctx = test_ctx();
  few_plan *plan = small_plan(ctx, ROWS);
  struct runner runner[THREADS];
  pthread_t thread[THREADS];
  for (int i = 0; i < THREADS; i++) {
    runner[i].plan = plan;
    assert_int_equal(pthread_create(&thread[i], NULL, run_often, &runner[i]), 0);
  }
  for (int i = 0; i < THREADS; i++) {
    void *failed;
    assert_int_equal(pthread_join(thread[i], &failed), 0);
    if (failed) fail_msg("thread %d: %s", i, (const char *)failed);
    assert_memory_equal(runner[i].y, runner[0].y, sizeof runner[0].y);
  }
  few_plan_free(plan);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_arrays_and_cost),
                                     cmocka_unit_test(test_every_op),
                                     cmocka_unit_test(test_f64),
                                     cmocka_unit_test(test_wrong_plans),
                                     cmocka_unit_test(test_one_call),
                                     cmocka_unit_test(test_wrong_bindings),
                                     cmocka_unit_test(test_side_by_side),
                                     cmocka_unit_test(test_threads)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
