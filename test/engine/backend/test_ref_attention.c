/* test_ref_attention.c - attention is compared with its formula (scores, softmax, mean), the dual
 * with central differences. The gradient is the adjoint of the dual's tangent.
 */
#include "kernel_test.h"

enum { Q, KEY, V };

struct size {
  int64_t N, T, h, D;
};

static const struct size sizes[] = {{1, 1, 1, 1}, {1, 1, 2, 3}, {2, 5, 1, 4}, {2, 7, 3, 5}};

static struct few_shape qkv_shape(struct size s) { return FEW_SHAPE(s.N, s.T, 3, s.h, s.D); }
static struct few_shape y_shape(struct size s) { return FEW_SHAPE(s.N, s.T, s.h, s.D); }

static double scale_of(struct size s) { return 1 / sqrt((double)s.D); }

/* Offset of q, k or v of image n, position t, head h. */
static int64_t at(struct size s, int64_t n, int64_t t, int which, int64_t h) {
  return (((n * s.T + t) * 3 + which) * s.h + h) * s.D;
}

static struct op_call call_of(few_op op, struct size s, const double *qkv, const double *other) {
  struct op_call c = {op, .attr.attention = {scale_of(s)}, .n_in = other ? 2 : 1};
  c.shape[0] = qkv_shape(s);
  c.in[0] = qkv;
  c.in[1] = other;
  c.shape[1] = op == FEW_OP_ATTENTION_GRAD ? y_shape(s) : qkv_shape(s);
  c.out = op == FEW_OP_ATTENTION_GRAD ? qkv_shape(s) : y_shape(s);
  if (op == FEW_OP_ATTENTION_DUAL) c.out.dim[0] *= 2;
  return c;
}

static double norm_of(const double *x, int64_t n) { return sqrt(inner(x, x, n)); }

/* The largest |q||k| scale, which bounds the scores. */
static double score_bound(struct size s, const double *qkv) {
  double m = 0;
  for (int64_t k = 0; k < s.N * s.T * 3 * s.h; k++) m = fmax(m, norm_of(qkv + k * s.D, s.D));
  return m * m * scale_of(s);
}

static double largest(const double *x, int64_t n) {
  double m = 0;
  for (int64_t k = 0; k < n; k++) m = fmax(m, fabs(x[k]));
  return m;
}

/* Returns the number of relative roundings of a probability. A score has D + 4, relative to its
 * bound. exp makes this absolute error relative, both in the numerator and in the sum. Then come
 * exp, sum and quotient. */
static double probability_terms(struct size s, const double *qkv) {
  return 2 * ((double)s.D + 4) * score_bound(s, qkv) + 6;
}

static void test_attention(void **state) {
  (void)state;
  for (int t = 0; t < FEW_COUNT(sizes); t++) {
    const struct size s = sizes[t];
    double *x = random_array(1, count_of(qkv_shape(s)));
    const struct op_call c = call_of(FEW_OP_ATTENTION, s, x, NULL);
    double *y = apply(&c), *magnitude = new_array(count_of(c.out));
    const double terms = probability_terms(s, x) + (double)s.T;
    for (int64_t k = 0; k < count_of(c.out); k++) {
      const int64_t d = k % s.D, h = k / s.D % s.h, i = k / (s.D * s.h) % s.T,
                    n = k / (s.D * s.h * s.T);
      double sum = 0, value = 0;
      for (int64_t j = 0; j < s.T; j++) {
        const double p =
            exp(scale_of(s) * inner(x + at(s, n, i, Q, h), x + at(s, n, j, KEY, h), s.D));
        sum += p;
        value += p * x[at(s, n, j, V, h) + d];
        magnitude[k] += p * fabs(x[at(s, n, j, V, h) + d]);
      }
      magnitude[k] /= sum;
      assert_close(y[k], value / sum, terms * DBL_EPSILON * magnitude[k]);
    }
    check_f32(&c, y, magnitude, terms);
    free(x), free(y), free(magnitude);
  }
}

/* Large scores must not overflow, and must select the one key that matches. */
static void test_attention_is_sharp(void **state) {
  (void)state;
  const struct size s = {1, 3, 1, 1};
  double x[9]; /* t, {q, k, v} */
  for (int t = 0; t < 3; t++) {
    x[3 * t] = 1e3;
    x[3 * t + 1] = 1e3 * t;
    x[3 * t + 2] = t + 5;
  }
  const struct op_call c = call_of(FEW_OP_ATTENTION, s, x, NULL);
  for (int type = 0; type < 2; type++) {
    double y[3];
    apply_as((few_real)type, &c, y);
    for (int t = 0; t < 3; t++) assert_true(y[t] == 7);
  }
}

/* Central differences with h = 2^-17 have the errors h^2 |f'''| / 6 and eps |f| / h. Both are below
 * 1e-9 times derivatives of at most a few hundred. */
static void test_attention_dual(void **state) {
  (void)state;
  const double h = 0x1p-17, tol = 1e-7;
  for (int t = 0; t < FEW_COUNT(sizes); t++) {
    const struct size s = sizes[t];
    const int64_t n = count_of(qkv_shape(s)), m = count_of(y_shape(s));
    double *x = random_array(1, n), *d = random_array(2, n);
    double *plus = new_array(n), *minus = new_array(n), *magnitude = new_array(2 * m);
    for (int64_t k = 0; k < n; k++) {
      plus[k] = x[k] + h * d[k];
      minus[k] = x[k] - h * d[k];
    }
    const struct op_call dual = call_of(FEW_OP_ATTENTION_DUAL, s, x, d);
    const struct op_call at_x = call_of(FEW_OP_ATTENTION, s, x, NULL);
    const struct op_call at_plus = call_of(FEW_OP_ATTENTION, s, plus, NULL);
    const struct op_call at_minus = call_of(FEW_OP_ATTENTION, s, minus, NULL);
    double *y = apply(&at_x), *yt = apply(&dual), *yp = apply(&at_plus), *ym = apply(&at_minus);
    for (int64_t k = 0; k < m; k++) {
      assert_true(yt[k] == y[k]);
      assert_close(yt[m + k], (yp[k] - ym[k]) / (2 * h), tol);
    }
    /* The tangent of a score is at most scale (|dq||k| + |q||dk|). That of the result is at most
     * twice this times v, plus dv. */
    const double v = largest(x, n), dv = largest(d, n);
    for (int64_t k = 0; k < 2 * m; k++)
      magnitude[k] = k < m ? v : 4 * (double)s.D * scale_of(s) * v * dv * v + dv;
    check_f32(&dual, yt, magnitude, 2 * probability_terms(s, x) + 2 * (double)(s.T + s.D));
    free(x), free(d), free(plus), free(minus), free(magnitude);
    free(y), free(yt), free(yp), free(ym);
  }
}

/* <dy, J d> = <J^T dy, d> */
static void test_attention_grad(void **state) {
  (void)state;
  for (int t = 0; t < FEW_COUNT(sizes); t++) {
    const struct size s = sizes[t];
    const int64_t n = count_of(qkv_shape(s)), m = count_of(y_shape(s));
    double *x = random_array(1, n), *d = random_array(2, n), *dy = random_array(3, m);
    double *magnitude = new_array(n);
    const struct op_call dual = call_of(FEW_OP_ATTENTION_DUAL, s, x, d);
    const struct op_call grad = call_of(FEW_OP_ATTENTION_GRAD, s, x, dy);
    double *yt = apply(&dual), *dx = apply(&grad);
    const double tol = 1e-12 * (inner_abs(dy, yt + m, m) + inner_abs(dx, d, n));
    assert_close(inner(dy, yt + m, m), inner(dx, d, n), tol);
    /* |dy v| <= D max|dy| max|v|. The gradients of the scores sum to at most twice that, and keys
     * and values sum T such rows. */
    const double v = largest(x, n), u = largest(dy, m);
    for (int64_t k = 0; k < n; k++)
      magnitude[k] = (double)s.T * (2 * scale_of(s) * (double)s.D * u * v * v + u);
    check_f32(&grad, dx, magnitude, 2 * probability_terms(s, x) + 2 * (double)(s.T + s.D));
    free(x), free(d), free(dy), free(magnitude), free(yt), free(dx);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_attention),
      cmocka_unit_test(test_attention_is_sharp),
      cmocka_unit_test(test_attention_dual),
      cmocka_unit_test(test_attention_grad),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
