/* test_ref_norm.c - checks the norm by its statistics, its derivative by central differences and by
 * symmetry, and softmax by its definition.
 */
#include "kernel_test.h"

static const struct {
  struct few_shape s;
  int groups;
  bool center;
} norms[] = {
    {{4, {2, 3, 5, 6}}, 1, true},       {{4, {2, 3, 5, 6}}, 3, true}, {{4, {2, 3, 5, 6}}, 2, false},
    {{4, {1, 2, 2, 4}}, 4, true},       {{2, {7, 9}}, 1, true},       {{2, {7, 9}}, 1, false},
    {{3, {2, 4, 10}}, 5, false},        {{2, {3, 1}}, 1, true},       {{2, {1, 1}}, 1, false},
    {{6, {2, 1, 2, 2, 1, 4}}, 2, true},
};

static struct op_call norm_call(int t, const double *x, double eps) {
  return (struct op_call){FEW_OP_NORM,           {.norm = {norms[t].groups, norms[t].center, eps}},
                          .out = norms[t].s,     .n_in = 1,
                          .shape = {norms[t].s}, .in = {x}};
}

static struct op_call tangent_call(int t, const double *x, const double *d, double eps) {
  struct op_call c = norm_call(t, x, eps);
  c.op = FEW_OP_NORM_TANGENT;
  c.n_in = 2;
  c.shape[1] = norms[t].s;
  c.in[1] = d;
  return c;
}

/* Sum and sum of squares of group g of row n. */
static void moments(int t, const double *y, int64_t n, int64_t g, double *sum, double *squares) {
  const struct few_shape s = norms[t].s;
  const int64_t C = s.dim[s.rank - 1], row = count_of(s) / s.dim[0], run = C / norms[t].groups;
  *sum = *squares = 0;
  for (int64_t k = 0; k < row; k++) {
    if (k % C / run != g) continue;
    *sum += y[n * row + k];
    *squares += pow(y[n * row + k], 2);
  }
}

/* Every group of the result has mean 0 (if centred) and mean square var / (var + eps). The result
 * is an increasing affine function of x, which distinguishes it from other arrays with these
 * properties. */
static void test_norm_statistics(void **state) {
  (void)state;
  const double eps = 0.125;
  for (int t = 0; t < FEW_COUNT(norms); t++) {
    const struct few_shape s = norms[t].s;
    const int64_t row = count_of(s) / s.dim[0];
    const double count = (double)(row / norms[t].groups);
    double *x = random_array(1, count_of(s));
    const struct op_call c = norm_call(t, x, eps);
    double *y = apply(&c);
    for (int64_t n = 0; n < s.dim[0]; n++)
      for (int64_t g = 0; g < norms[t].groups; g++) {
        double sx, qx, sy, qy;
        moments(t, x, n, g, &sx, &qx);
        moments(t, y, n, g, &sy, &qy);
        const double mean = norms[t].center ? sx / count : 0;
        const double var = qx / count - mean * mean;
        const double tol = 8 * count * DBL_EPSILON * (1 + qx / (var + eps));
        if (norms[t].center) assert_close(sy, 0, tol);
        assert_close(qy / count, var / (var + eps), tol);
        const int64_t C = s.dim[s.rank - 1], run = C / norms[t].groups;
        for (int64_t k = 0; k < row; k++)
          if (k % C / run == g)
            assert_close(y[n * row + k], (x[n * row + k] - mean) / sqrt(var + eps), tol);
      }
    check_f32(&c, y, y, 1); /* statistics are double: one rounding, at the end */
    free(x), free(y);
  }
}

/* A mean of 10^6 and a spread of 1: E[x^2] - E[x]^2 in float would be noise. */
static void test_norm_far_from_zero(void **state) {
  (void)state;
  double x[63];
  for (int k = 0; k < 63; k++) x[k] = 1e6 + k % 9; /* seven rows, each 1e6 + 0..8: variance 20/3 */
  struct op_call c = norm_call(4, x, 0);
  double y[63];
  apply_as(FEW_F32, &c, y);
  for (int k = 0; k < 63; k++)
    assert_close(y[k], (k % 9 - 4) / sqrt(20.0 / 3), 4 * FLT_EPSILON * 2);
}

/* A constant group is 0, and eps keeps it from 0 / 0. */
static void test_norm_of_constant(void **state) {
  (void)state;
  double x[63];
  for (int k = 0; k < 63; k++) x[k] = 3;
  const struct op_call c = norm_call(4, x, 1e-6);
  double *y = apply(&c);
  for (int k = 0; k < 63; k++) assert_true(y[k] == 0);
  free(y);
}

/* Central differences of step h have the error h^2 |f'''| / 6 and the rounding error eps |f| / h.
 * With h = 2^-17 both are below 1e-9 for norms with eps = 1/8, whose derivatives are at most a few
 * hundred. */
static void test_norm_tangent(void **state) {
  (void)state;
  const double eps = 0.125, h = 0x1p-17, tol = 1e-8;
  for (int t = 0; t < FEW_COUNT(norms); t++) {
    const int64_t n = count_of(norms[t].s);
    double *x = random_array(1, n), *d = random_array(2, n), *e = random_array(3, n);
    double *plus = new_array(n), *minus = new_array(n);
    for (int64_t k = 0; k < n; k++) {
      plus[k] = x[k] + h * d[k];
      minus[k] = x[k] - h * d[k];
    }
    const struct op_call at_plus = norm_call(t, plus, eps), at_minus = norm_call(t, minus, eps);
    const struct op_call along_d = tangent_call(t, x, d, eps), along_e = tangent_call(t, x, e, eps);
    double *yp = apply(&at_plus), *ym = apply(&at_minus);
    double *jd = apply(&along_d), *je = apply(&along_e);
    for (int64_t k = 0; k < n; k++) assert_close(jd[k], (yp[k] - ym[k]) / (2 * h), tol);
    assert_close(inner(e, jd, n), inner(d, je, n),
                 (double)n * 8 * DBL_EPSILON * (inner_abs(e, jd, n) + inner_abs(d, je, n) + 1));
    check_f32(&along_d, jd, jd, 1);
    free(x), free(d), free(e), free(plus), free(minus);
    free(yp), free(ym), free(jd), free(je);
  }
}

static void test_softmax(void **state) {
  (void)state;
  const struct few_shape shapes[] = {{1, {1}}, {1, {7}}, {2, {3, 1}}, {3, {2, 3, 17}}};
  for (int t = 0; t < FEW_COUNT(shapes); t++) {
    const struct few_shape s = shapes[t];
    const int64_t n = count_of(s), last = s.dim[s.rank - 1];
    double *x = random_array(1, n), *magnitude = new_array(n);
    for (int64_t k = 0; k < n; k++) x[k] *= 4;
    const struct op_call c = {FEW_OP_SOFTMAX, .out = s, .n_in = 1, .shape = {s}, .in = {x}};
    double *y = apply(&c);
    for (int64_t row = 0; row < n; row += last) {
      double sum = 0, spread = 0;
      for (int64_t k = 0; k < last; k++) {
        sum += exp(x[row + k]);
        spread = fmax(spread, fabs(x[row + k]));
      }
      for (int64_t k = 0; k < last; k++) {
        assert_close(y[row + k], exp(x[row + k]) / sum,
                     (double)(last + 8) * DBL_EPSILON * y[row + k]);
        /* x - max is rounded once, relative to at most 2 spread. exp turns an absolute error of its
         * argument into a relative error. */
        magnitude[row + k] = y[row + k] * (1 + 4 * spread);
      }
    }
    check_f32(&c, y, magnitude, 4);
    free(x), free(y), free(magnitude);
  }
}

static void test_softmax_does_not_overflow(void **state) {
  (void)state;
  const double x[3] = {1e4, 1e4, -1e4};
  const struct op_call c = {FEW_OP_SOFTMAX, .out = {1, {3}}, .n_in = 1, .shape = {{1, {3}}},
                            .in = {x}};
  for (int type = 0; type < 2; type++) {
    double y[3];
    apply_as((few_real)type, &c, y);
    assert_true(y[0] == 0.5 && y[1] == 0.5 && y[2] == 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_norm_statistics),  cmocka_unit_test(test_norm_far_from_zero),
      cmocka_unit_test(test_norm_of_constant), cmocka_unit_test(test_norm_tangent),
      cmocka_unit_test(test_softmax),          cmocka_unit_test(test_softmax_does_not_overflow),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
