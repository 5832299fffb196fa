/* The table of parameters, initial values, and each layer compared with its formula in f64. */
#include "testing.h"

#include "base/rng.h"
#include "diffusion/net/nn.h"
#include "few/plan.h"

struct net { /* a graph with one trace, and the values of its inputs and parameters */
  few_ctx *ctx;
  few_graph *g;
  struct few_params params;
  struct few_nn nn;
};

static void begin(struct net *n) {
  memset(n, 0, sizeof *n);
  n->ctx = test_ctx();
  assert_ok(n->ctx, few_graph_create(&n->g, n->ctx));
  n->nn = (struct few_nn){.g = n->g, .params = &n->params, .prefix = ""};
}

static void end(struct net *n) {
  few__params_free(n->ctx, &n->params);
  few_graph_free(n->g);
  few_ctx_free(n->ctx);
}

/* Computes y. The input "x" is x; parameters have the initial values of their table for seed 1. */
static void evaluate(struct net *n, few_node y, const double *x, double *out) {
  const struct few_plan_opts o = {FEW_PLAN_OPTS_VERSION, "ref", true};
  few_plan *plan;
  few_executor *e;
  float *single = test_malloc((size_t)n->params.total * sizeof(float) + 4);
  double *values = test_malloc((size_t)n->params.total * sizeof(double) + 8);
  few__params_init(&n->params, 1, single);
  for (int64_t i = 0; i < n->params.total; i++) values[i] = (double)single[i];
  assert_ok(n->ctx, few_plan_create(&plan, n->g, 1, &(struct few_plan_output){"y", y}, &o));
  assert_ok(n->ctx, few_executor_create(&e, n->ctx, plan));
  for (int i = 0; i < few_plan_array_count(plan); i++) {
    struct few_plan_array a;
    assert_true(few_plan_array_at(&a, sizeof a, plan, i));
    const int row = few__params_find(&n->params, a.name);
    if (a.kind == FEW_PLAN_PARAM)
      assert_ok(n->ctx, few_executor_bind_input(e, a.name, values + n->params.at[row].offset));
    if (a.kind == FEW_PLAN_INPUT) assert_ok(n->ctx, few_executor_bind_input(e, a.name, x));
  }
  assert_ok(n->ctx, few_executor_bind_output(e, "y", out));
  assert_ok(n->ctx, few_executor_run(e, &(struct few_run_opts){FEW_RUN_OPTS_VERSION, 1, 2, 3, 0}));
  few_executor_free(e);
  few_plan_free(plan);
  test_free(values);
  test_free(single);
}

static void draw(double *x, int n) {
  few__rng_normal_f64(&(struct few_rng){.seed = 4, .purpose = FEW_RNG_CHECK}, n, x);
}

/* ---- the table ---- */

static void test_rows(void **state) {
  (void)state;
  struct net n;
  begin(&n);
  few_node x = few_input(n.g, "x", FEW_REAL, FEW_SHAPE(2, 5));
  few_nn_push(&n.nn, "enc.%d", 0);
  few_node y = few_nn_linear(&n.nn, "fc", x, 3, 1, true);
  few_nn_pop(&n.nn);
  few_node z = few_nn_linear(&n.nn, "out", y, 7, 1, false);
  static const char *const names[] = {"enc.0.fc.w", "enc.0.fc.b", "out.w"};
  assert_int_equal(n.params.n, 3);
  assert_int_equal(few__params_count(&n.params), 5 * 3 + 3 + 3 * 7);
  int64_t free_from = 0;
  for (int i = 0; i < 3; i++) {
    const struct few_param_row *row = &n.params.at[i];
    assert_string_equal(row->name, names[i]);
    assert_int_equal(few__params_find(&n.params, names[i]), i);
    assert_true(row->offset % 16 == 0 && row->offset >= free_from);
    free_from = row->offset + few_shape_count(row->shape);
  }
  assert_true(n.params.total >= free_from);
  assert_int_equal(few__params_find(&n.params, "enc.0.fc"), -1);
  /* Traced a second time: the same rows and the same node. */
  const struct few_nn once = {.g = n.g, .params = &n.params, .prefix = ""};
  n.nn = once;
  few_nn_push(&n.nn, "enc.%d", 0);
  few_node second = few_nn_linear(&n.nn, "fc", x, 3, 1, true);
  few_nn_pop(&n.nn);
  assert_int_equal(second, y);
  assert_int_equal(n.params.n, 3);
  /* Another prefix: the same rows, other parameters of the graph. */
  n.nn.prefix = "teacher:";
  assert_true(few_nn_linear(&n.nn, "out", y, 7, 1, false) != z);
  assert_int_equal(n.params.n, 3);
  end(&n);
}

static void test_mistakes(void **state) {
  (void)state;
  for (int k = 0; k < 6; k++) {
    struct net n;
    begin(&n);
    few_node x = few_input(n.g, "x", FEW_REAL, FEW_SHAPE(2, 6)), y = FEW_NONE;
    few_node v = few_input(n.g, "v", FEW_REAL, FEW_SHAPE(6));
    char longest[100];
    memset(longest, 'n', sizeof longest);
    longest[99] = 0;
    const struct few_init zero = {FEW_INIT_ZERO, 0};
    if (k == 0) y = few_nn_linear(&n.nn, "fc", v, 3, 1, true);
    if (k == 1) y = few_nn_conv(&n.nn, "conv", x, 3, 3, 1, 1);
    if (k == 2) y = few_nn_attention(&n.nn, "att", few_reshape(n.g, x, FEW_SHAPE(1, 2, 6)), 4, 1);
    if (k == 3) y = few_nn_positional(&n.nn, v, 7, 1);
    if (k == 4) y = few_nn_param(&n.nn, longest, FEW_SHAPE(2), zero);
    if (k == 5) {
      few_nn_param(&n.nn, "w", FEW_SHAPE(2), zero);
      y = few_nn_param(&n.nn, "w", FEW_SHAPE(3), zero);
    }
    assert_int_equal(y, FEW_NONE);
    assert_int_equal(few_graph_status(n.g), FEW_E_INVALID);
    end(&n);
  }
}

/* ---- initial values ---- */

/* The initial values of a parameter depend only on the seed and its name. Padding is 0. */
static void test_init(void **state) {
  (void)state;
  enum { N = 4000 };
  struct net n, other;
  begin(&n);
  begin(&other);
  static const struct few_init kinds[] = {
      {FEW_INIT_NORMAL, 0.5}, {FEW_INIT_UNIFORM, 0.25}, {FEW_INIT_ONE, 0}, {FEW_INIT_ZERO, 0}};
  static const char *const names[] = {"normal", "uniform", "one", "zero"};
  for (int k = 0; k < 4; k++) few_nn_param(&n.nn, names[k], FEW_SHAPE(N + k), kinds[k]);
  few_nn_param(&other.nn, "before", FEW_SHAPE(33), kinds[0]);
  few_nn_param(&other.nn, "normal", FEW_SHAPE(N), kinds[0]);
  float *a = test_malloc((size_t)n.params.total * sizeof *a);
  float *b = test_malloc((size_t)other.params.total * sizeof *b);
  few__params_init(&n.params, 1, a);
  few__params_init(&other.params, 1, b);
  assert_memory_equal(a, b + other.params.at[1].offset, N * sizeof *a);
  few__params_init(&other.params, 2, b);
  assert_memory_not_equal(a, b + other.params.at[1].offset, N * sizeof *a);
  double sum = 0, square = 0;
  for (int i = 0; i < N; i++) {
    sum += (double)a[i];
    square += (double)a[i] * (double)a[i];
    const float u = a[n.params.at[1].offset + i];
    assert_true(-0.25f < u && u < 0.25f);
    assert_true(a[n.params.at[2].offset + i] == 1 && a[n.params.at[3].offset + i] == 0);
  }
  assert_close(sum / N, 0, 5 * 0.5 / sqrt(N)); /* five standard errors */
  assert_close(square / N, 0.25, 5 * 0.25 * sqrt(2.0 / N));
  for (int64_t i = n.params.at[1].offset + N + 1; i < n.params.at[2].offset; i++)
    assert_true(a[i] == 0);
  test_free(a);
  test_free(b);
  end(&n);
  end(&other);
}

/* ---- layers ---- */

/* Sums of fewer than 100 terms of order one in f64. */
static const double tolerance = 1e-13;

static void test_linear(void **state) {
  (void)state;
  struct net n;
  begin(&n);
  double x[2 * 5], y[2 * 3];
  draw(x, 10);
  evaluate(&n,
           few_nn_linear(&n.nn, "fc", few_input(n.g, "x", FEW_REAL, FEW_SHAPE(2, 5)), 3, 1, true),
           x, y);
  float values[64];
  assert_true(n.params.total <= 64);
  few__params_init(&n.params, 1, values);
  for (int i = 0; i < 2; i++)
    for (int o = 0; o < 3; o++) {
      double want = 0;
      for (int k = 0; k < 5; k++) want += x[5 * i + k] * (double)values[3 * k + o];
      assert_close(y[3 * i + o], want, tolerance);
    }
  assert_close(n.params.at[0].init.scale, 1 / sqrt(5), 0);
  end(&n);
}

/* Each group of channels of each row has mean 0, and variance 1 minus the effect of eps. */
static void test_group_norm(void **state) {
  (void)state;
  enum { N = 2, P = 6, C = 4, GROUPS = 2 };
  struct net n;
  begin(&n);
  double x[N * P * C], y[N * P * C];
  draw(x, N * P * C);
  few_node in = few_input(n.g, "x", FEW_REAL, FEW_SHAPE(N, 2, 3, C));
  evaluate(&n, few_nn_group_norm(&n.nn, "norm", in, GROUPS, 1e-12), x, y);
  for (int r = 0; r < N; r++)
    for (int group = 0; group < GROUPS; group++) {
      double mean = 0, square = 0;
      for (int p = 0; p < P; p++)
        for (int c = 0; c < C / GROUPS; c++) {
          const double v = y[(r * P + p) * C + group * (C / GROUPS) + c];
          mean += v / (P * C / GROUPS);
          square += v * v / (P * C / GROUPS);
        }
      assert_close(mean, 0, tolerance);
      assert_close(square, 1, 1e-10); /* eps over a variance of order one */
    }
  end(&n);
}

static void test_pnorm(void **state) {
  (void)state;
  struct net n;
  begin(&n);
  double x[3 * 4], y[3 * 4];
  draw(x, 12);
  few_node in = few_input(n.g, "x", FEW_REAL, FEW_SHAPE(3, 4));
  evaluate(&n, few_nn_pnorm(&n.nn, in), x, y);
  for (int r = 0; r < 3; r++) {
    double square = 0;
    for (int c = 0; c < 4; c++) square += x[4 * r + c] * x[4 * r + c] / 4;
    for (int c = 0; c < 4; c++)
      assert_close(y[4 * r + c], x[4 * r + c] / sqrt(square + 1e-8), tolerance);
  }
  assert_int_equal(n.params.n, 0);
  end(&n);
}

/* Dropout applies only in training. The remaining values are then scaled, and each layer has a mask
 * of its own. */
static void test_dropout(void **state) {
  (void)state;
  enum { N = 4000 };
  struct net n;
  begin(&n);
  n.nn.dropout = 0.25;
  few_node x = few_input(n.g, "x", FEW_REAL, FEW_SHAPE(1, N));
  assert_int_equal(few_nn_dropout(&n.nn, x), x);
  n.nn.training = true;
  few_node a = few_nn_dropout(&n.nn, x), b = few_nn_dropout(&n.nn, x);
  assert_true(a != b && a != x);
  double *in = test_malloc(N * sizeof *in), *out = test_malloc(N * sizeof *out);
  for (int i = 0; i < N; i++) in[i] = 3;
  evaluate(&n, a, in, out);
  int kept = 0;
  for (int i = 0; i < N; i++) {
    if (out[i] != 0) assert_close(out[i], 4, tolerance);
    kept += out[i] != 0;
  }
  assert_close((double)kept / N, 0.75, 5 * sqrt(0.25 * 0.75 / N));
  test_free(in);
  test_free(out);
  end(&n);
}

static void test_embeddings(void **state) {
  (void)state;
  enum { C = 6 };
  struct net n;
  begin(&n);
  const double t[2] = {0.3, 1.2};
  double y[2 * C];
  few_node in = few_input(n.g, "x", FEW_REAL, FEW_SHAPE(2));
  evaluate(&n, few_nn_positional(&n.nn, in, C, 10), t, y);
  for (int r = 0; r < 2; r++)
    for (int i = 0; i < C / 2; i++) {
      const double angle = 10 * t[r] * pow(10000, -i / (C / 2.0));
      assert_close(y[C * r + i], cos(angle), tolerance);
      assert_close(y[C * r + C / 2 + i], sin(angle), tolerance);
    }
  evaluate(&n, few_nn_fourier(&n.nn, in, C, 1), t, y);
  for (int r = 0; r < 2; r++)
    for (int i = 0; i < C / 2; i++) {
      const double a = y[C * r + i], b = y[C * r + C / 2 + i];
      assert_close(a * a + b * b, 2, tolerance);
    }
  end(&n);
}

/* Attention whose output projection has the gain 0 gives zeros, in the shape of x. */
static void test_attention(void **state) {
  (void)state;
  struct net n;
  begin(&n);
  double x[2 * 4 * 6], y[2 * 4 * 6];
  draw(x, 48);
  few_node in = few_input(n.g, "x", FEW_REAL, FEW_SHAPE(2, 2, 2, 6));
  few_node out = few_nn_attention(&n.nn, "att", in, 3, 0);
  assert_true(few_shape_equal(few_node_shape(n.g, out), FEW_SHAPE(2, 2, 2, 6)));
  evaluate(&n, out, x, y);
  for (int i = 0; i < 48; i++) assert_true(y[i] == 0);
  assert_true(few__params_find(&n.params, "att.qkv.w") >= 0);
  assert_true(few__params_find(&n.params, "att.out.b") >= 0);
  assert_true(few_shape_equal(
      few_node_shape(n.g, few_nn_rows(&n.nn, few_input(n.g, "r", FEW_REAL, FEW_SHAPE(2, 5)), 4)),
      FEW_SHAPE(2, 1, 1, 5)));
  end(&n);
}

/* Padding keeps the side, and stride 2 halves it. One pixel is compared with the definition. */
static void test_conv(void **state) {
  (void)state;
  struct net n;
  begin(&n);
  few_node in = few_input(n.g, "x", FEW_REAL, FEW_SHAPE(1, 4, 4, 2));
  few_node same = few_nn_conv(&n.nn, "a", in, 3, 3, 1, 1);
  few_node half = few_nn_conv(&n.nn, "b", in, 3, 3, 2, 1);
  assert_true(few_shape_equal(few_node_shape(n.g, same), FEW_SHAPE(1, 4, 4, 3)));
  assert_true(few_shape_equal(few_node_shape(n.g, half), FEW_SHAPE(1, 2, 2, 3)));
  assert_close(n.params.at[0].init.scale, 1 / sqrt(2 * 9), 1e-15);
  double x[32], y[48];
  draw(x, 32);
  evaluate(&n, same, x, y);
  float values[256];
  assert_true(n.params.total <= 256);
  few__params_init(&n.params, 1, values); /* w [3,3,2,3] comes first */
  for (int o = 0; o < 3; o++) {           /* the pixel in row 1, column 2 */
    double want = 0;
    for (int a = 0; a < 3; a++)
      for (int b = 0; b < 3; b++)
        for (int c = 0; c < 2; c++)
          want += x[(4 * a + 1 + b) * 2 + c] * (double)values[((3 * a + b) * 2 + c) * 3 + o];
    assert_close(y[(4 + 2) * 3 + o], want, tolerance);
  }
  end(&n);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rows),       cmocka_unit_test(test_mistakes),
      cmocka_unit_test(test_init),       cmocka_unit_test(test_linear),
      cmocka_unit_test(test_group_norm), cmocka_unit_test(test_pnorm),
      cmocka_unit_test(test_dropout),    cmocka_unit_test(test_embeddings),
      cmocka_unit_test(test_attention),  cmocka_unit_test(test_conv)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
