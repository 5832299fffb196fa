/* Sums, broadcasts, transposes, norms and softmax of the CPU backend against ref's f64. */
#include "cpu_test.h"

static const struct few_shape wholes[] = {
    {0, {0}},           {1, {1}},           {1, {17}},           {1, {5000}},
    {2, {5, 1}},        {2, {40, 3}},       {2, {700, 3}},       {4, {2, 3, 5, 7}},
    {4, {2, 9, 16, 3}}, {4, {1, 4, 4, 33}}, {4, {3, 1, 2, 600}}, {4, {2, 40, 8, 64}},
    {2, {33, 65}},      {3, {0, 3, 2}},     {3, {2, 3, 0}},      {6, {2, 1, 3, 2, 2, 9}}};

static struct few_shape some_ones(uint64_t stream, struct few_shape s, bool first) {
  if (first && s.rank == 4) { /* the patterns of every day */
    static const int keep[] = {1, 9, 8, 14, 0, 7};
    const int mask = keep[pick(stream, 0, 6)];
    for (int k = 0; k < 4; k++)
      if (!(mask >> (3 - k) & 1)) s.dim[k] = 1;
    return s;
  }
  if (pick(stream, 0, 6) == 0) return FEW_SCALAR;
  for (int k = 0; k < s.rank; k++)
    if (s.dim[k] && pick(stream, k + 1, 2)) s.dim[k] = 1;
  return s;
}

/* 32 terms in a float lane, at most 6 to fold lanes, one to round the result. */
static void check_sum(struct few_shape whole, struct few_shape part) {
  double *x = random_array(3, count_of(whole));
  const struct op_call c = {FEW_OP_SUM, .out = part, .n_in = 1, .shape = {whole}, .in = {x}};
  double *y = apply(&c);
  for (int64_t k = 0; k < count_of(whole); k++) x[k] = fabs(x[k]);
  double *magnitude = apply(&c);
  free(x);
  x = random_array(3, count_of(whole));
  struct op_call again = c;
  again.in[0] = x;
  check_cpu(&again, y, magnitude, 40);
  free(x);
  free(y);
  free(magnitude);
}

static void test_sum(void **state) {
  (void)state;
  for (int s = 0; s < FEW_COUNT(wholes); s++)
    for (int round = 0; round < 12; round++)
      check_sum(wholes[s], some_ones((uint64_t)(s * 12 + round), wholes[s], round % 2));
}

static void test_broadcast(void **state) {
  (void)state;
  for (int s = 0; s < FEW_COUNT(wholes); s++)
    for (int round = 0; round < 12; round++) {
      const struct few_shape part = some_ones((uint64_t)(s * 12 + round), wholes[s], round % 2);
      double *x = random_array(4, count_of(part));
      const struct op_call c = {FEW_OP_BROADCAST, .out = wholes[s], .n_in = 1, .shape = {part},
                                .in = {x}};
      double *y = apply(&c);
      check_cpu(&c, y, y, 0);
      free(x);
      free(y);
    }
}

static void check_transpose(struct few_shape in, const int *perm) {
  struct op_call c = {FEW_OP_TRANSPOSE, .n_in = 1, .shape = {in}};
  c.out.rank = in.rank;
  for (int k = 0; k < in.rank; k++) {
    c.attr.transpose.perm[k] = perm[k];
    c.out.dim[k] = in.dim[perm[k]];
  }
  double *x = random_array(5, count_of(in));
  c.in[0] = x;
  double *y = apply(&c);
  check_cpu(&c, y, y, 0);
  free(x);
  free(y);
}

static void test_transpose(void **state) {
  (void)state;
  for (int s = 0; s < FEW_COUNT(wholes); s++)
    for (int round = 0; round < 12; round++) {
      int perm[FEW_MAX_RANK] = {0, 1, 2, 3, 4, 5};
      for (int k = wholes[s].rank - 1; k > 0; k--) {
        const int j = pick((uint64_t)(s * 12 + round), k, k + 1), t = perm[k];
        perm[k] = perm[j];
        perm[j] = t;
      }
      check_transpose(wholes[s], perm);
    }
}

/* ---- Norms ---- */

struct norm_case {
  struct few_shape shape;
  int groups;
  double mean, std;
};

static const struct norm_case norms[] = {
    {{4, {2, 5, 7, 8}}, 4, 0, 1},
    {{4, {1, 8, 8, 64}}, 32, 1, 2},
    {{4, {2, 16, 16, 33}}, 3, 0, 1},
    {{4, {2, 3, 3, 12}}, 12, 0, 1},
    {{4, {1, 32, 32, 32}}, 8, 100, 0.01},
    {{2, {3, 64}}, 1, 100, 0.01},
    {{2, {5, 384}}, 1, 1, 1},
    {{2, {4, 17}}, 1, 0, 1},
    {{2, {4, 3}}, 1, 0, 1},
    {{2, {2, 5000}}, 1, -3, 0.1},
    {{2, {3, 64}}, 4, 0, 1},
    {{2, {3, 64}}, 32, 0, 1},
    {{3, {2, 1, 40}}, 2, 0, 1},
    {{4, {1, 1, 1, 1}}, 1, 0, 1},
    {{4, {2, 17, 1, 16}}, 1, 0, 1},
    {{4, {0, 4, 4, 8}}, 2, 0, 1},
    {{4, {1, 40, 40, 24}}, 8, 5, 1},
};

/* Bound of the terms of an element: 1 + |y| for the value (the error of the mean is a few roundings
 * of the mean distance, that of the deviation is relative); for the derivative, every term of
 * r (d - mean(d) - y mean(y d)) with |.| inside, where mean|y| <= 1. */
static void norm_magnitude(const struct op_call *c, const double *y, double *magnitude) {
  const int64_t N = c->out.dim[0], C = c->out.dim[c->out.rank - 1], groups = c->attr.norm.groups;
  const int64_t P = N ? count_of(c->out) / N / C : 0, width = C / groups;
  const struct op_call value = {FEW_OP_NORM, c->attr,           .out = c->out,
                                .n_in = 1,   .shape = {c->out}, .in = {c->in[0]}};
  double *v = c->n_in > 1 ? apply(&value) : NULL;
  for (int64_t g = 0; g < N * groups; g++) {
    const int64_t first = g / groups * P * C + g % groups * width;
    double d = 0, yd = 0, mean = 0, var = 0;
    for (int64_t k = 0; k < P * width && v; k++) {
      const int64_t at = first + k / width * C + k % width;
      mean += c->attr.norm.center ? c->in[0][at] / (double)(P * width) : 0;
      d += fabs(c->in[1][at]) / (double)(P * width);
      yd += fabs(v[at] * c->in[1][at]) / (double)(P * width);
    }
    for (int64_t k = 0; k < P * width && v; k++) {
      const double t = c->in[0][first + k / width * C + k % width] - mean;
      var += t * t / (double)(P * width);
    }
    const double r = 1 / sqrt(var + c->attr.norm.eps);
    for (int64_t k = 0; k < P * width; k++) {
      const int64_t at = first + k / width * C + k % width;
      magnitude[at] =
          v ? r * (fabs(c->in[1][at]) + d + (1 + fabs(v[at])) * (d + yd)) : 1 + fabs(y[at]);
    }
  }
  free(v);
}

/* 64 terms in a lane, 6 to fold, and as many again through the deviation. */
static void check_norm(const struct norm_case *t, bool center, bool tangent) {
  const int64_t n = count_of(t->shape);
  double *x = random_array(6, n), *d = random_array(7, n), *magnitude = new_array(n);
  for (int64_t k = 0; k < n; k++) x[k] = (double)(float)(t->mean + t->std * x[k]);
  const struct op_call c = {tangent ? FEW_OP_NORM_TANGENT : FEW_OP_NORM,
                            .attr.norm = {t->groups, center, 1e-5},
                            .out = t->shape,
                            .n_in = tangent ? 2 : 1,
                            .shape = {t->shape, t->shape},
                            .in = {x, d}};
  double *y = apply(&c);
  norm_magnitude(&c, y, magnitude);
  check_cpu(&c, y, magnitude, 128);
  free(x);
  free(d);
  free(y);
  free(magnitude);
}

static void test_norm(void **state) {
  (void)state;
  for (int t = 0; t < FEW_COUNT(norms); t++)
    for (int kind = 0; kind < 4; kind++) check_norm(&norms[t], kind & 1, kind >> 1);
}

/* ---- Softmax ---- */

/* The exponent's rounding counts as often as it is large; 64 terms in a lane. */
static void check_softmax(struct few_shape s) {
  const int64_t n = count_of(s), len = s.dim[s.rank - 1];
  double *x = random_array(8, n), *magnitude = new_array(n);
  for (int64_t k = 0; k < n; k++) x[k] = (double)(float)(8 * x[k]);
  const struct op_call c = {FEW_OP_SOFTMAX, .out = s, .n_in = 1, .shape = {s}, .in = {x}};
  double *y = apply(&c);
  for (int64_t k = 0; k < n; k++) {
    double max = x[k];
    for (int64_t j = k - k % len; j < k - k % len + len; j++) max = fmax(max, x[j]);
    magnitude[k] = y[k] * (75 + max - x[k]);
  }
  check_cpu(&c, y, magnitude, 1);
  free(x);
  free(y);
  free(magnitude);
}

static void test_softmax(void **state) {
  (void)state;
  for (int s = 0; s < FEW_COUNT(wholes); s++)
    if (wholes[s].rank > 0) check_softmax(wholes[s]);
}

/* ---- Resampling and random numbers ---- */

/* A sum of as many terms as taps squared; weights are rounded once, all positive. */
static void check_resample(struct few_shape small, int taps, bool up) {
  struct few_shape large = small;
  large.dim[1] *= 2;
  large.dim[2] *= 2;
  struct op_call c = {.op = up ? FEW_OP_UP : FEW_OP_DOWN, .out = up ? large : small, .n_in = 1};
  c.shape[0] = up ? small : large;
  c.attr.resample.n = taps;
  for (int k = 0; k < taps; k++) c.attr.resample.tap[k] = (1 + k % 3) / (1.6 * taps);
  double *x = random_array(9, count_of(c.shape[0])), *a = new_array(count_of(c.shape[0]));
  for (int64_t k = 0; k < count_of(c.shape[0]); k++) a[k] = fabs(x[k]);
  c.in[0] = a;
  double *magnitude = apply(&c);
  c.in[0] = x;
  double *y = apply(&c);
  check_cpu(&c, y, magnitude, taps * taps + 2);
  free(x);
  free(a);
  free(y);
  free(magnitude);
}

static void test_resample(void **state) {
  (void)state;
  const struct few_shape shapes[] = {{4, {1, 1, 1, 1}},  {4, {2, 3, 4, 3}}, {4, {1, 4, 3, 16}},
                                     {4, {1, 2, 2, 33}}, {4, {0, 2, 2, 4}}, {4, {2, 8, 8, 40}}};
  for (int s = 0; s < FEW_COUNT(shapes); s++)
    for (int taps = 2; taps <= 6; taps += 2)
      for (int up = 0; up < 2; up++) check_resample(shapes[s], taps, up);
}

/* The bits of base/rng.c. */
static void test_uniform(void **state) {
  (void)state;
  const int64_t lengths[] = {1, 3, 4, 15, 16, 63, 64, 65, 300};
  for (int k = 0; k < FEW_COUNT(lengths); k++) {
    const int64_t n = lengths[k];
    const struct op_call c = {
        .op = FEW_OP_RANDU,
        .attr.random = {FEW_RNG_DROPOUT + 3},
        .out = {3, {3, n, 1}},
        .key = {
            .seed = 0x123456789abcdef, .step = 1ull << 33 | 7, .row0 = 1ull << 32 | 0xfffffffe}};
    float want[300];
    FOR_EACH_ISA(isa) {
      double *y = apply_cpu(isa, &c);
      for (uint64_t row = 0; row < 3; row++) {
        few__rng_uniform_f32(&(struct few_rng){.seed = c.key.seed,
                                               .step = c.key.step,
                                               .row = c.key.row0 + row,
                                               .purpose = FEW_RNG_DROPOUT + 3},
                             n, want);
        for (int64_t i = 0; i < n; i++) assert_true((float)y[(int64_t)row * n + i] == want[i]);
      }
      free(y);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sum),       cmocka_unit_test(test_broadcast),
      cmocka_unit_test(test_transpose), cmocka_unit_test(test_norm),
      cmocka_unit_test(test_softmax),   cmocka_unit_test(test_resample),
      cmocka_unit_test(test_uniform),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
