/* Attention, its tangent and its gradient on the CPU backend against ref's f64.
 *
 * The bounds follow one rounding unit e through the formulas. Let S = max_j scale sum_d |q_d k_jd|
 * for a query. A score is off by at most (D + 2) S e, so a probability has the relative error
 *
 *     E = 2 ((D + 2) S + S + T + 8) e
 *
 * (both ends of the exponent, its rounding, the sum over T, exp and the division). Then y is off by
 * E sum_j P |v|; the tangent and the gradient carry the same E through sums of their |terms|.
 *
 * If matrix units for bf16 compute products, P and other factors of values, queries and keys are
 * rounded to bf16. Each term is then off by 2^-8 of itself, which is 2^15 e.
 */
#include "cpu_test.h"

struct setting {
  int64_t N, T, h, D;
  double scale;
  const double *x, *d; /* qkv; its tangent, or the cotangent of y */
  double rounding;     /* of weights to bf16, in e */
};

static int64_t at(const struct setting *s, int64_t n, int64_t t, int which, int64_t head) {
  return (((n * s->T + t) * 3 + which) * s->h + head) * s->D;
}
static int64_t at_y(const struct setting *s, int64_t n, int64_t t, int64_t head) {
  return ((n * s->T + t) * s->h + head) * s->D;
}

static double dot(const double *a, const double *b, int64_t n) {
  double sum = 0;
  for (int64_t k = 0; k < n; k++) sum += a[k] * b[k];
  return sum;
}
static double dot_abs(const double *a, const double *b, int64_t n) {
  double sum = 0;
  for (int64_t k = 0; k < n; k++) sum += fabs(a[k] * b[k]);
  return sum;
}

/* Writes the probabilities of query i. Returns E / e. */
static double row(const struct setting *s, int64_t n, int64_t head, int64_t i, double *p) {
  const double *q = s->x + at(s, n, i, 0, head);
  double top = -INFINITY, sum = 0, most = 0;
  for (int64_t j = 0; j < s->T; j++) {
    const double *k = s->x + at(s, n, j, 1, head);
    p[j] = s->scale * dot(q, k, s->D);
    top = fmax(top, p[j]);
    most = fmax(most, s->scale * dot_abs(q, k, s->D));
  }
  for (int64_t j = 0; j < s->T; j++) sum += p[j] = exp(p[j] - top);
  for (int64_t j = 0; j < s->T; j++) p[j] /= sum;
  const double D = (double)s->D, T = (double)s->T;
  return 2 * ((D + 2) * most + most + T + 8);
}

/* Writes bounds of the value into b and bounds of the tangent into tb (NULL: no tangent). */
static void bound_value(const struct setting *s, double *b, double *tb) {
  double *p = new_array(s->T);
  for (int64_t n = 0; n < s->N; n++)
    for (int64_t head = 0; head < s->h; head++)
      for (int64_t i = 0; i < s->T; i++) {
        const double E = row(s, n, head, i, p);
        double most = 0; /* the largest |t_s| */
        for (int64_t j = 0; j < s->T && tb; j++) {
          const int64_t q = at(s, n, i, 0, head), k = at(s, n, j, 1, head);
          most = fmax(most, s->scale * (dot_abs(s->d + q, s->x + k, s->D) +
                                        dot_abs(s->x + q, s->d + k, s->D)));
        }
        for (int64_t k = 0; k < s->D; k++) {
          double pv = 0, ptv = 0;
          for (int64_t j = 0; j < s->T; j++) {
            pv += p[j] * fabs(s->x[at(s, n, j, 2, head) + k]);
            if (tb) ptv += p[j] * fabs(s->d[at(s, n, j, 2, head) + k]);
          }
          b[at_y(s, n, i, head) + k] = (E + s->rounding) * pv;
          if (tb)
            tb[at_y(s, n, i, head) + k] =
                (2 * E + 2 * (double)s->D + s->rounding) * (2 * most * pv + ptv);
        }
      }
  free(p);
}

static void bound_grad(const struct setting *s, double *b) {
  double *p = new_array(s->T);
  const int64_t D = s->D;
  for (int64_t n = 0; n < s->N; n++)
    for (int64_t head = 0; head < s->h; head++)
      for (int64_t i = 0; i < s->T; i++) {
        const double E = 2 * row(s, n, head, i, p) + (double)(D + s->T) + s->rounding;
        const double *dy = s->d + at_y(s, n, i, head), *q = s->x + at(s, n, i, 0, head);
        double most = 0; /* the largest |dP| */
        for (int64_t j = 0; j < s->T; j++)
          most = fmax(most, dot_abs(dy, s->x + at(s, n, j, 2, head), D));
        for (int64_t j = 0; j < s->T; j++)
          for (int64_t k = 0; k < D; k++) {
            const double g = 2 * p[j] * most * s->scale * E;
            b[at(s, n, i, 0, head) + k] += g * fabs(s->x[at(s, n, j, 1, head) + k]);
            b[at(s, n, j, 1, head) + k] += g * fabs(q[k]);
            b[at(s, n, j, 2, head) + k] += p[j] * E * fabs(dy[k]);
          }
      }
  free(p);
}

static void bound(const struct setting *s, few_op op, double *b) {
  const int64_t n_y = s->N * s->T * s->h * s->D;
  memset(b, 0, (size_t)(3 * n_y) * sizeof *b);
  if (op == FEW_OP_ATTENTION_GRAD)
    bound_grad(s, b);
  else
    bound_value(s, b, op == FEW_OP_ATTENTION_DUAL ? b + n_y : NULL);
}

static void check_op(bool bf16, struct setting s, const struct op_call *c) {
  double *want = apply(c), *b = new_array(3 * s.N * s.T * s.h * s.D);
  bound(&s, c->op, b);
  if (!bf16) check_cpu(c, want, b, 1);
  for (int units = 0; units < 2 && bf16; units++) {
    s.rounding = units ? 0x1p15 : 0;
    bound(&s, c->op, b);
    FOR_EACH_ISA(isa) { /* base computes in plain C what units do */
      if (units == (isa == FEW_ISA_BASE || few__isa_bf16(isa))) check_cpu_ways(isa, c, want, b, 1);
    }
  }
  free(want);
  free(b);
}

static void check_as(bool bf16, int64_t N, int64_t T, int64_t h, int64_t D) {
  const struct few_shape qkv = {5, {N, T, 3, h, D}}, y = {4, {N, T, h, D}};
  const double scale = (double)(float)(1 / sqrt((double)D));
  double *x = stored_array(bf16, 11, count_of(qkv)), *d = stored_array(bf16, 12, count_of(qkv));
  const struct setting s = {N, T, h, D, scale, x, d, 0};
  struct op_call c = {FEW_OP_ATTENTION, .attr.attention = {scale}, .out = y,
                      .n_in = 1,        .shape = {qkv, qkv},       .in = {x, d}};
  check_op(bf16, s, &c);
  c.op = FEW_OP_ATTENTION_DUAL;
  c.n_in = 2;
  c.out.dim[0] = 2 * N;
  check_op(bf16, s, &c);
  c.op = FEW_OP_ATTENTION_GRAD;
  c.out = qkv;
  c.shape[1] = y;
  check_op(bf16, s, &c);
  free(x);
  free(d);
}

static void check(int64_t N, int64_t T, int64_t h, int64_t D) {
  for (int bf16 = 0; bf16 < 2; bf16++) check_as(bf16, N, T, h, D);
}

static void test_lengths(void **state) {
  (void)state;
  const int64_t T[] = {1, 2, 5, 16, 17, 24, 25, 49, 64, 65, 100};
  for (int k = 0; k < FEW_COUNT(T); k++) check(2, T[k], 2, 32);
  check(1, 243, 1, 16);
  check(1, 300, 1, 8);
  check(0, 4, 1, 8);
}

static void test_widths(void **state) {
  (void)state;
  const int64_t D[] = {1, 3, 4, 8, 15, 16, 17, 20, 40, 64, 72, 128};
  for (int k = 0; k < FEW_COUNT(D); k++) check(1, 13, 3, D[k]);
}

/* Scores in the hundreds: the maximum keeps the exponentials finite. */
static void test_large_scores(void **state) {
  (void)state;
  const struct few_shape qkv = {5, {1, 9, 3, 1, 8}}, y = {4, {1, 9, 1, 8}};
  for (int bf16 = 0; bf16 < 2; bf16++) {
    double *x = stored_array(bf16, 13, count_of(qkv));
    const struct op_call c = {FEW_OP_ATTENTION, .attr.attention = {100}, .out = y,
                              .n_in = 1,        .shape = {qkv},          .in = {x}};
    check_op(bf16, (struct setting){1, 9, 1, 8, 100, x, NULL, 0}, &c);
    free(x);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lengths),
      cmocka_unit_test(test_widths),
      cmocka_unit_test(test_large_scores),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
