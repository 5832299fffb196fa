/* test_ref_pointwise.c - expressions are compared with libm. Also broadcasting of each operand, and
 * aliasing. */
#include "kernel_test.h"

/* The definitions, written from the mathematics and not taken from ops.def. */
static double recip(double x) { return 1 / x; }
static double square(double x) { return pow(x, 2); }
static double sigmoid(double x) { return 0.5 + 0.5 * tanh(x / 2); }
static double silu(double x) { return x * sigmoid(x); }
static double gelu(double x) {
  return x * sigmoid(2 * sqrt(2 / acos(-1)) * (x + 0.044715 * pow(x, 3)));
}
static double affine(double x) { return 3 * x - 0.25; }

static const struct {
  few_op op;
  double (*f)(double);
  bool positive; /* operands must be greater than 0 */
} unary[] = {
    {FEW_OP_EXP, exp, false},   {FEW_OP_LOG, log, true},          {FEW_OP_SIN, sin, false},
    {FEW_OP_COS, cos, false},   {FEW_OP_TANH, tanh, false},       {FEW_OP_ATAN, atan, false},
    {FEW_OP_SQRT, sqrt, true},  {FEW_OP_RECIP, recip, true},      {FEW_OP_SQUARE, square, false},
    {FEW_OP_ABS, fabs, false},  {FEW_OP_SIGMOID, sigmoid, false}, {FEW_OP_SILU, silu, false},
    {FEW_OP_GELU, gelu, false}, {FEW_OP_AFFINE, affine, false},   {FEW_OP_FLOOR, floor, false},
};

static double add(double x, double y) { return x + y; }
static double sub(double x, double y) { return x - y; }
static double mul(double x, double y) { return x * y; }
static double quotient(double x, double y) { return x / y; }
static double less(double x, double y) { return isless(x, y); }

static const struct {
  few_op op;
  double (*f)(double, double);
} binary[] = {
    {FEW_OP_ADD, add},  {FEW_OP_SUB, sub},  {FEW_OP_MUL, mul},   {FEW_OP_DIV, quotient},
    {FEW_OP_MAX, fmax}, {FEW_OP_MIN, fmin}, {FEW_OP_LESS, less},
};

/* A result has a few roundings of terms no larger than 1 + |x|^3 + |y|. */
enum { ROUNDINGS = 16 };

static void test_unary(void **state) {
  (void)state;
  enum { N = 37 };
  double x[N], magnitude[N];
  for (int t = 0; t < FEW_COUNT(unary); t++) {
    for (int k = 0; k < N; k++) {
      x[k] = unary[t].positive ? 0.125 * (k + 1) : 0.25 * (k - N / 2);
      magnitude[k] = 1 + pow(fabs(x[k]), 3) + fabs(unary[t].f(x[k]));
    }
    struct op_call c = {unary[t].op, .out = {1, {N}}, .n_in = 1, .shape = {{1, {N}}}, .in = {x}};
    c.attr.affine.a = 3;
    c.attr.affine.b = -0.25;
    double *y = apply(&c);
    for (int k = 0; k < N; k++)
      assert_close(y[k], unary[t].f(x[k]), ROUNDINGS * DBL_EPSILON * magnitude[k]);
    check_f32(&c, y, magnitude, ROUNDINGS);
    free(y);
  }
}

static void test_saturation(void **state) {
  (void)state;
  const double x[] = {-1000, 1000};
  struct op_call c = {FEW_OP_SILU, .out = {1, {2}}, .n_in = 1, .shape = {{1, {2}}}, .in = {x}};
  for (int type = 0; type < 2; type++) {
    double y[2];
    apply_as((few_real)type, &c, y);
    assert_true(y[0] == 0 && y[1] == 1000);
    c.op = FEW_OP_SIGMOID;
    apply_as((few_real)type, &c, y);
    assert_true(y[0] == 0 && y[1] == 1);
    c.op = FEW_OP_SILU;
  }
}

/* Returns the element of an operand that belongs to element k of the result. */
static double broadcast_get(struct few_shape s, const double *x, struct few_shape out, int64_t k) {
  int64_t index[FEW_MAX_RANK] = {0}, at = 0;
  for (int d = out.rank - 1; d >= 0; d--) {
    index[d] = k % out.dim[d];
    k /= out.dim[d];
  }
  for (int d = 0; d < s.rank; d++) at = at * s.dim[d] + (s.dim[d] == 1 ? 0 : index[d]);
  return x[at];
}

static const struct {
  struct few_shape a, b, out;
} pairs[] = {
    {{0}, {0}, {0}},
    {{1, {1}}, {1, {1}}, {1, {1}}},
    {{1, {5}}, {0}, {1, {5}}},
    {{0}, {1, {5}}, {1, {5}}},
    {{2, {3, 4}}, {2, {1, 4}}, {2, {3, 4}}},
    {{2, {3, 1}}, {2, {1, 4}}, {2, {3, 4}}},
    {{4, {2, 3, 1, 5}}, {4, {1, 1, 1, 5}}, {4, {2, 3, 1, 5}}},
    {{4, {2, 1, 1, 5}}, {4, {2, 3, 4, 5}}, {4, {2, 3, 4, 5}}},
    {{4, {2, 3, 4, 1}}, {4, {2, 1, 4, 5}}, {4, {2, 3, 4, 5}}},
    {{6, {2, 1, 2, 1, 3, 1}}, {6, {1, 3, 1, 2, 1, 2}}, {6, {2, 3, 2, 2, 3, 2}}},
    {{2, {0, 3}}, {2, {1, 3}}, {2, {0, 3}}},
};

static void test_binary_broadcasts(void **state) {
  (void)state;
  for (int p = 0; p < FEW_COUNT(pairs); p++) {
    const int64_t n = count_of(pairs[p].out);
    double *x = random_array(1, count_of(pairs[p].a)), *y = random_array(2, count_of(pairs[p].b));
    double *magnitude = new_array(n);
    for (int t = 0; t < FEW_COUNT(binary); t++) {
      const struct op_call c = {binary[t].op, .out = pairs[p].out, .n_in = 2,
                                .shape = {pairs[p].a, pairs[p].b}, .in = {x, y}};
      double *z = apply(&c);
      for (int64_t k = 0; k < n; k++) {
        const double u = broadcast_get(pairs[p].a, x, pairs[p].out, k);
        const double v = broadcast_get(pairs[p].b, y, pairs[p].out, k);
        assert_true(z[k] == binary[t].f(u, v)); /* one correctly rounded operation */
        magnitude[k] = fabs(z[k]);
      }
      check_f32(&c, z, magnitude, 1);
      free(z);
    }
    free(x), free(y), free(magnitude);
  }
}

static void test_select_broadcasts(void **state) {
  (void)state;
  const struct few_shape shape[] = {{3, {2, 1, 3}}, {3, {1, 4, 3}}, {3, {2, 4, 1}}};
  const struct few_shape out = {3, {2, 4, 3}};
  const double condition[6] = {0, 1, -0.0, 2, 0, -1};
  for (int turn = 0; turn < 3; turn++) { /* each operand has each of the shapes */
    double *c3 = new_array(24);
    struct few_shape s[3];
    for (int k = 0; k < 3; k++) s[k] = shape[(k + turn) % 3];
    for (int64_t k = 0; k < count_of(s[0]); k++) c3[k] = condition[k % 6];
    double *a = random_array(3, 24), *b = random_array(4, 24);
    const struct op_call c = {FEW_OP_SELECT, .out = out, .n_in = 3, .shape = {s[0], s[1], s[2]},
                              .in = {c3, a, b}};
    double *z = apply(&c), zero[24] = {0};
    for (int64_t k = 0; k < 24; k++) {
      const double *from = broadcast_get(s[0], c3, out, k) != 0 ? a : b;
      assert_true(z[k] == broadcast_get(s[from == a ? 1 : 2], from, out, k));
    }
    check_f32(&c, z, zero, 1);
    free(c3), free(a), free(b), free(z);
  }
}

/* The result may use the memory of an operand of its shape. */
static void test_in_place(void **state) {
  (void)state;
  const struct few_shape s = {2, {3, 5}}, row = {2, {1, 5}};
  double *x = random_array(1, 15), *y = random_array(2, 5);
  struct few_node_data node = {.op = FEW_OP_SUB, .shape = s};
  struct few_call c = {.node = &node, .shape = s, .n_in = 2};
  for (int place = 0; place < 2; place++) {
    double z[15];
    memcpy(z, x, sizeof z);
    c.in[place] = (struct few_operand){.data = z, .shape = s};
    c.in[1 - place] = (struct few_operand){.data = y, .shape = row};
    c.out = z;
    few__backend_ref()->kernel[FEW_F64][FEW_OP_SUB].run(&c);
    for (int k = 0; k < 15; k++) assert_true(z[k] == (place ? y[k % 5] - x[k] : x[k] - y[k % 5]));
  }
  free(x), free(y);
}

/* Every op except sources and views has a kernel in both number types. */
static void test_table_is_complete(void **state) {
  (void)state;
  const few_op none[] = {FEW_OP_INPUT, FEW_OP_PARAM, FEW_OP_FILL,
                         FEW_OP_CONST, FEW_OP_STOP,  FEW_OP_RESHAPE};
  const struct few_backend *ref = few__backend_find("ref");
  for (int op = 0; op < FEW_OP_COUNT; op++) {
    bool expected = true;
    for (int k = 0; k < FEW_COUNT(none); k++) expected = expected && op != (int)none[k];
    for (int type = 0; type < 2; type++)
      assert_int_equal(ref->kernel[type][op].run != NULL, expected);
  }
  assert_null(ref->fused[0].run);
  assert_ptr_equal(few__backend_at(0), ref);
  assert_null(few__backend_at(-1));
  assert_null(few__backend_at(1000));
  assert_null(few__backend_find("no such backend"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_unary),
      cmocka_unit_test(test_saturation),
      cmocka_unit_test(test_binary_broadcasts),
      cmocka_unit_test(test_select_broadcasts),
      cmocka_unit_test(test_in_place),
      cmocka_unit_test(test_table_is_complete),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
