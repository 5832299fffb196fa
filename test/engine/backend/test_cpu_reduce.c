/* Sums, broadcasts, transposes, norms, softmax and resampling of the CPU backend in f32 and in
 * bf16, compared with ref's f64. */
#include "cpu_test.h"

static const struct few_shape wholes[] = {
    {0, {0}},           {1, {1}},           {1, {17}},           {1, {5000}},
    {2, {5, 1}},        {2, {40, 3}},       {2, {700, 3}},       {4, {2, 3, 5, 7}},
    {4, {2, 9, 16, 3}}, {4, {1, 4, 4, 33}}, {4, {3, 1, 2, 600}}, {4, {2, 40, 8, 64}},
    {2, {33, 65}},      {3, {0, 3, 2}},     {3, {2, 3, 0}},      {6, {2, 1, 3, 2, 2, 9}}};

static struct few_shape some_ones(uint64_t stream, struct few_shape s, bool first) {
  if (first && s.rank == 4) { /* the usual patterns */
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

/* An element is rounded 32 times in a lane of floats, at most 6 times to add lanes, once at the
 * end.
 * */
static void check_sum(bool bf16, struct few_shape whole, struct few_shape part) {
  double *x = stored_array(bf16, 3, count_of(whole));
  const struct op_call c = {FEW_OP_SUM, .out = part, .n_in = 1, .shape = {whole}, .in = {x}};
  double *y = apply(&c);
  for (int64_t k = 0; k < count_of(whole); k++) x[k] = fabs(x[k]);
  double *magnitude = apply(&c);
  free(x);
  x = stored_array(bf16, 3, count_of(whole));
  struct op_call again = c;
  again.in[0] = x;
  check_cpu_stored(bf16, &again, y, magnitude, 40);
  free(x);
  free(y);
  free(magnitude);
}

static void test_sum(void **state) {
  (void)state;
  for (int s = 0; s < FEW_COUNT(wholes); s++)
    for (int round = 0; round < 24; round++)
      check_sum(round >= 12, wholes[s],
                some_ones((uint64_t)(s * 12 + round % 12), wholes[s], round % 2));
}

static void test_broadcast(void **state) {
  (void)state;
  for (int s = 0; s < FEW_COUNT(wholes); s++)
    for (int round = 0; round < 24; round++) {
      const struct few_shape part =
          some_ones((uint64_t)(s * 12 + round % 12), wholes[s], round % 2);
      double *x = stored_array(round >= 12, 4, count_of(part));
      const struct op_call c = {FEW_OP_BROADCAST, .out = wholes[s], .n_in = 1, .shape = {part},
                                .in = {x}};
      double *y = apply(&c);
      check_cpu_stored(round >= 12, &c, y, y, 0);
      free(x);
      free(y);
    }
}

static void check_transpose(bool bf16, struct few_shape in, const int *perm) {
  struct op_call c = {FEW_OP_TRANSPOSE, .n_in = 1, .shape = {in}};
  c.out.rank = in.rank;
  for (int k = 0; k < in.rank; k++) {
    c.attr.transpose.perm[k] = perm[k];
    c.out.dim[k] = in.dim[perm[k]];
  }
  double *x = stored_array(bf16, 5, count_of(in));
  c.in[0] = x;
  double *y = apply(&c);
  check_cpu_stored(bf16, &c, y, y, 0);
  free(x);
  free(y);
}

static void test_transpose(void **state) {
  (void)state;
  for (int s = 0; s < FEW_COUNT(wholes); s++)
    for (int round = 0; round < 24; round++) {
      int perm[FEW_MAX_RANK] = {0, 1, 2, 3, 4, 5};
      for (int k = wholes[s].rank - 1; k > 0; k--) {
        const int j = pick((uint64_t)(s * 12 + round % 12), k, k + 1), t = perm[k];
        perm[k] = perm[j];
        perm[j] = t;
      }
      check_transpose(round >= 12, wholes[s], perm);
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

/* Writes bounds of the terms of each element. For the value it is 1 + |y|: the error of the mean is
 * a few roundings of the mean distance, that of the deviation is relative. For the derivative it is
 * r (d - mean(d) - y mean(y d)) with the absolute value of every term, where mean|y| <= 1. */
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

static double *norm_input(bool bf16, const struct norm_case *t) {
  double *x = random_array(6, count_of(t->shape));
  for (int64_t k = 0; k < count_of(t->shape); k++) x[k] = (double)(float)(t->mean + t->std * x[k]);
  if (bf16) round_to_bf16(x, count_of(t->shape));
  return x;
}

/* 64 roundings in a lane, 6 to add lanes, and as many again for the deviation. */
static void check_norm(bool bf16, const struct norm_case *t, bool center, bool tangent) {
  const int64_t n = count_of(t->shape);
  double *x = norm_input(bf16, t), *d = stored_array(bf16, 7, n), *magnitude = new_array(n);
  const struct op_call c = {tangent ? FEW_OP_NORM_TANGENT : FEW_OP_NORM,
                            .attr.norm = {t->groups, center, 1e-5},
                            .out = t->shape,
                            .n_in = tangent ? 2 : 1,
                            .shape = {t->shape, t->shape},
                            .in = {x, d}};
  double *y = apply(&c);
  norm_magnitude(&c, y, magnitude);
  check_cpu_stored(bf16, &c, y, magnitude, 128);
  free(x);
  free(d);
  free(y);
  free(magnitude);
}

static void test_norm(void **state) {
  (void)state;
  for (int t = 0; t < FEW_COUNT(norms); t++)
    for (int kind = 0; kind < 8; kind++) check_norm(kind >> 2, &norms[t], kind & 1, kind >> 1 & 1);
}

/* Runs norm(x) g and norm_tangent(x, d) g as one program. The bits of `way` say what is stored in
 * bf16: x, d, g, both results. If `alias`, the results are written over x and d, provided that they
 * are stored alike. */
static void run_norm_program(few_isa isa, const struct op_call *t, const double *g, unsigned way,
                             bool alias, double *out[2]) {
  const struct few_kernel k = few__backend_cpu_isa(isa)->fused[FEW_F32];
  struct few_program p = {.n_leaves = 3, .n_code = 4, .n_stores = 2, .store = {5, 6}};
  p.code[0] = (struct few_instruction){FEW_OP_NORM, {0}, t->attr};
  p.code[1] = (struct few_instruction){FEW_OP_NORM_TANGENT, {0, 1}, t->attr};
  p.code[2] = (struct few_instruction){.op = FEW_OP_MUL, .in = {3, 2}};
  p.code[3] = (struct few_instruction){.op = FEW_OP_MUL, .in = {4, 2}};
  struct few_call c = {.shape = t->out, .n_in = 3, .program = &p};
  const double *in[3] = {t->in[0], t->in[1], g};
  const int64_t C = t->out.dim[t->out.rank - 1], n = count_of(t->out), n_in[3] = {n, n, C};
  void *at[5];
  size_t size[5];
  for (int l = 0; l < 3; l++) {
    c.in[l].shape = t->out;
    for (int i = 0; i < t->out.rank - 1 && l == 2; i++) c.in[l].shape.dim[i] = 1;
    c.in[l].bf16 = way >> l & 1;
    size[l] = (size_t)n_in[l] * (c.in[l].bf16 ? 2 : 4);
    c.in[l].data = at[l] = to_stored(c.in[l].bf16, in[l], n_in[l]);
  }
  for (int j = 0; j < 2; j++) {
    c.bf16[j] = way >> (3 + j) & 1;
    size[3 + j] = (size_t)n * (c.bf16[j] ? 2 : 4);
    at[3 + j] = guard_new(size[3 + j]);
    c.outs[j] = alias && c.bf16[j] == c.in[j].bf16 ? at[j] : at[3 + j];
  }
  const size_t scratch = k.scratch(&c);
  c.scratch = guard_new(scratch);
  memset(c.scratch, 0xff, scratch);
  k.run(&c);
  for (int j = 0; j < 2; j++)
    for (int64_t i = 0; i < n; i++)
      out[j][i] =
          c.bf16[j] ? (double)from_bf16(((uint16_t *)c.outs[j])[i]) : get(FEW_F32, c.outs[j], i);
  guard_free(c.scratch, scratch);
  for (int j = 0; j < 5; j++) guard_free(at[j], size[j]);
}

static void check_norm_program(const struct norm_case *t, unsigned way) {
  const int64_t n = count_of(t->shape), C = t->shape.dim[t->shape.rank - 1];
  double *x = norm_input(true, t), *d = stored_array(true, 7, n), *g = stored_array(true, 8, C);
  double *got[2] = {new_array(n), new_array(n)}, *want[2], *magnitude[2];
  struct op_call c = {.attr.norm = {t->groups, 1, 1e-5},
                      .out = t->shape,
                      .shape = {t->shape, t->shape},
                      .in = {x, d}};
  for (int j = 0; j < 2; j++) {
    c.op = j ? FEW_OP_NORM_TANGENT : FEW_OP_NORM;
    c.n_in = 1 + j;
    want[j] = apply(&c);
    norm_magnitude(&c, want[j], magnitude[j] = new_array(n));
  }
  FOR_EACH_ISA(isa) {
    run_norm_program(isa, &c, g, way, way % 3 == 1, got);
    for (int64_t i = 0; i < 2 * n; i++) {
      const int64_t k = i % n;
      const double by = g[k % C], y = want[i / n][k] * by;
      double bound = 130 * FLT_EPSILON * magnitude[i / n][k] * fabs(by);
      if (way >> (3 + i / n) & 1) bound += half_bf16(fabs(y) + bound);
      if (!(fabs(got[i / n][k] - y) <= bound))
        fail_msg("program on %s, stored as %x, result %d, element %lld: %.9g, not %.9g +- %.3g",
                 few__isa_name(isa), way, (int)(i / n), (long long)k, got[i / n][k], y, bound);
    }
  }
  for (int j = 0; j < 2; j++) {
    free(got[j]);
    free(want[j]);
    free(magnitude[j]);
  }
  free(x);
  free(d);
  free(g);
}

static void test_norm_program(void **state) {
  (void)state;
  for (int t = 0; t < FEW_COUNT(norms); t++) {
    const struct few_shape s = norms[t].shape; /* a norm over one position is never in a program */
    if (count_of(s) == s.dim[0] * s.dim[s.rank - 1]) continue;
    for (unsigned way = 0; way < 32; way++) check_norm_program(&norms[t], way);
  }
}

/* ---- Softmax ---- */

/* The rounding error of an exponent is relative to its size. A lane adds 64 terms. */
static void check_softmax(bool bf16, struct few_shape s) {
  const int64_t n = count_of(s), len = s.dim[s.rank - 1];
  double *x = random_array(8, n), *magnitude = new_array(n);
  for (int64_t k = 0; k < n; k++) x[k] = (double)(float)(8 * x[k]);
  if (bf16) round_to_bf16(x, n);
  const struct op_call c = {FEW_OP_SOFTMAX, .out = s, .n_in = 1, .shape = {s}, .in = {x}};
  double *y = apply(&c);
  for (int64_t k = 0; k < n; k++) {
    double max = x[k];
    for (int64_t j = k - k % len; j < k - k % len + len; j++) max = fmax(max, x[j]);
    magnitude[k] = y[k] * (75 + max - x[k]);
  }
  check_cpu_stored(bf16, &c, y, magnitude, 1);
  free(x);
  free(y);
  free(magnitude);
}

static void test_softmax(void **state) {
  (void)state;
  for (int s = 0; s < FEW_COUNT(wholes); s++)
    for (int bf16 = 0; bf16 < 2 && wholes[s].rank > 0; bf16++) check_softmax(bf16, wholes[s]);
}

/* ---- Resampling and random numbers ---- */

/* An element is a sum of taps^2 terms. The weights are positive and rounded once. */
static void check_resample(bool bf16, struct few_shape small, int taps, bool up) {
  struct few_shape large = small;
  large.dim[1] *= 2;
  large.dim[2] *= 2;
  struct op_call c = {.op = up ? FEW_OP_UP : FEW_OP_DOWN, .out = up ? large : small, .n_in = 1};
  c.shape[0] = up ? small : large;
  c.attr.resample.n = taps;
  for (int k = 0; k < taps; k++) c.attr.resample.tap[k] = (1 + k % 3) / (1.6 * taps);
  double *x = stored_array(bf16, 9, count_of(c.shape[0])), *a = new_array(count_of(c.shape[0]));
  for (int64_t k = 0; k < count_of(c.shape[0]); k++) a[k] = fabs(x[k]);
  c.in[0] = a;
  double *magnitude = apply(&c);
  c.in[0] = x;
  double *y = apply(&c);
  check_cpu_stored(bf16, &c, y, magnitude, taps * taps + 2);
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
      for (int kind = 0; kind < 4; kind++) check_resample(kind >> 1, shapes[s], taps, kind & 1);
}

/* The numbers have the bits of base/rng.c. */
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
      cmocka_unit_test(test_uniform),   cmocka_unit_test(test_norm_program),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
