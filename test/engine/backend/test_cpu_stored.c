/* Kernels of the CPU backend that move numbers, in f32 and in bf16: slice, pad and concat. Every
 * kernel that copies is also tried with every number of bf16. */
#include "cpu_test.h"

/* Shapes of operands. 1 and 17 numbers do not fill a vector, 600 fill several. */
static const struct few_shape shapes[] = {{1, {1}},        {1, {600}},         {2, {5, 17}},
                                          {3, {2, 7, 32}}, {4, {2, 3, 5, 16}}, {4, {3, 1, 2, 600}},
                                          {2, {0, 4}},     {3, {2, 0, 3}},     {4, {2, 8, 8, 64}}};

static void check_move(bool bf16, struct op_call *c) {
  double *x[FEW_MAX_IN] = {NULL};
  for (int i = 0; i < c->n_in; i++)
    c->in[i] = x[i] = stored_array(bf16, 20 + (uint64_t)i, count_of(c->shape[i]));
  double *y = apply(c);
  check_cpu_stored(bf16, c, y, y, 0);
  free(y);
  for (int i = 0; i < c->n_in; i++) free(x[i]);
}

static void check_slice(bool bf16, struct few_shape s, int axis, int64_t start, int64_t len) {
  struct op_call c = {FEW_OP_SLICE, .attr.slice = {axis, start, len}, .out = s, .n_in = 1,
                      .shape = {s}};
  c.out.dim[axis] = len;
  check_move(bf16, &c);
}

static void check_pad(bool bf16, struct few_shape s, int axis, int64_t before, int64_t after) {
  struct op_call c = {FEW_OP_PAD, .attr.pad = {axis, before, after}, .out = s, .n_in = 1,
                      .shape = {s}};
  c.out.dim[axis] += before + after;
  check_move(bf16, &c);
}

static void check_concat(bool bf16, struct few_shape s, int axis) {
  struct op_call c = {FEW_OP_CONCAT, .attr.concat = {axis}, .out = s, .n_in = 3,
                      .shape = {s, s, s}};
  c.shape[1].dim[axis] = 3;
  c.shape[2].dim[axis] += 2;
  c.out.dim[axis] = c.shape[0].dim[axis] + c.shape[1].dim[axis] + c.shape[2].dim[axis];
  check_move(bf16, &c);
}

static void test_moves(void **state) {
  (void)state;
  for (int s = 0; s < FEW_COUNT(shapes); s++)
    for (int axis = 0; axis < shapes[s].rank; axis++)
      for (int bf16 = 0; bf16 < 2; bf16++) {
        const int64_t dim = shapes[s].dim[axis];
        check_slice(bf16, shapes[s], axis, 0, dim);
        check_slice(bf16, shapes[s], axis, dim / 3, dim - dim / 3);
        check_slice(bf16, shapes[s], axis, dim / 3, dim / 2);
        check_pad(bf16, shapes[s], axis, 0, 2);
        check_pad(bf16, shapes[s], axis, 5, 0);
        check_pad(bf16, shapes[s], axis, 1, 1);
        check_concat(bf16, shapes[s], axis);
      }
}

/* ---- Every number of bf16 ---- */

enum { PATTERNS = 1 << 16 };

static bool same(double a, double b) {
  return isnan(a) ? isnan(b) : a == b && signbit(a) == signbit(b);
}

static void check_patterns(few_op op, union few_attr attr, struct few_shape s, const double *x,
                           const double *one) {
  const struct op_call c = {op,
                            attr,
                            .out = s,
                            .n_in = op == FEW_OP_MUL ? 2 : 1,
                            .shape = {s, FEW_SCALAR},
                            .in = {x, one}};
  FOR_EACH_ISA(isa)
  for (unsigned way = 1; way < 4; way++) {
    double *y = apply_cpu_as(isa, &c, (struct stored){.in = way >> 1, .out = way & 1});
    for (int k = 0; k < PATTERNS; k++)
      if (!same(x[k], y[k]))
        fail_msg("op %d on %s, way %u: %04x is %g", (int)op, few__isa_name(isa), way, k, y[k]);
    free(y);
  }
}

/* NaN stays NaN, and -0 stays -0. */
static void test_patterns(void **state) {
  (void)state;
  const struct few_shape line = {1, {PATTERNS}}, square = {3, {256, 1, 256}};
  const union few_attr none = {{0}}, to_end = {.slice = {0, 0, PATTERNS}};
  double *x = new_array(PATTERNS);
  const double one = 1;
  for (int k = 0; k < PATTERNS; k++) x[k] = (double)from_bf16((uint16_t)k);
  check_patterns(FEW_OP_MUL, none, line, x, &one);
  check_patterns(FEW_OP_BROADCAST, none, line, x, NULL);
  check_patterns(FEW_OP_CONCAT, none, line, x, NULL);
  check_patterns(FEW_OP_SLICE, to_end, line, x, NULL);
  check_patterns(FEW_OP_TRANSPOSE, (union few_attr){.transpose = {{1, 0, 2}}}, square, x, NULL);
  free(x);
}

/* A transpose moves every number of bf16 to its place unchanged. */
static void test_patterns_transposed(void **state) {
  (void)state;
  const struct few_shape square = {2, {256, 256}};
  double *x = new_array(PATTERNS);
  for (int k = 0; k < PATTERNS; k++) x[k] = (double)from_bf16((uint16_t)k);
  const struct op_call c = {FEW_OP_TRANSPOSE, .attr.transpose = {{1, 0}}, .out = square,
                            .n_in = 1,        .shape = {square},          .in = {x}};
  FOR_EACH_ISA(isa)
  for (unsigned way = 1; way < 4; way++) {
    double *y = apply_cpu_as(isa, &c, (struct stored){.in = way >> 1, .out = way & 1});
    for (int k = 0; k < PATTERNS; k++) assert_true(same(x[k], y[k % 256 * 256 + k / 256]));
    free(y);
  }
  free(x);
}

/* ---- Rounding ---- */

/* Floats of every exponent on both sides of the middle between two numbers of bf16: they are
 * rounded to the nearest, ties to even. */
static void test_rounding(void **state) {
  (void)state;
  static const uint32_t low[] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff};
  enum { N = 6 * PATTERNS };
  double *x = new_array(N);
  for (int k = 0; k < N; k++) {
    const uint32_t bits = (uint32_t)(k / 6) << 16 | low[k % 6];
    float f;
    memcpy(&f, &bits, sizeof f);
    x[k] = (double)f;
  }
  const double one = 1;
  const struct op_call c = {FEW_OP_MUL, .out = {1, {N}}, .n_in = 2, .shape = {{1, {N}}, FEW_SCALAR},
                            .in = {x, &one}};
  FOR_EACH_ISA(isa) {
    double *y = apply_cpu_as(isa, &c, (struct stored){.out = true});
    for (int k = 0; k < N; k++)
      if (!same((double)from_bf16(to_bf16((float)x[k])), y[k]))
        fail_msg("%.9g is %.9g on %s", x[k], y[k], few__isa_name(isa));
    free(y);
  }
  free(x);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_moves),
      cmocka_unit_test(test_patterns),
      cmocka_unit_test(test_patterns_transposed),
      cmocka_unit_test(test_rounding),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
