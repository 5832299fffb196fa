/* Elementary functions are compared with the C library's doubles, in ulp. Pointwise kernels and
 * fused programs in f32 and in bf16 are compared with ref's f64. On every instruction set. */
#include "cpu_test.h"
#include "engine/op/op.h"

/* ---- Elementary functions ---- */

static double to_float(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return (double)x;
}

/* Returns the error of `got` in units of the last place of the float nearest to y. */
static double ulps(double got, double y) {
  if (isnan(y) || isnan(got)) return isnan(y) && isnan(got) ? 0 : INFINITY;
  if (got == y || isinf((float)y) || isinf(y)) return got == (double)(float)y ? 0 : INFINITY;
  if (isinf(got)) got = copysign(0x1p128, got); /* the number that would follow the largest float */
  int e;
  frexp(y, &e);
  return fabs(got - y) / ldexp(1, e - 24 < -149 ? -149 : e - 24);
}

static const struct function {
  few_op op;
  const char *name;
  double (*f)(double);
  double most; /* ulp */
} functions[] = {
    {FEW_OP_EXP, "exp", exp, 1.5},   {FEW_OP_LOG, "log", log, 1.5},
    {FEW_OP_SIN, "sin", sin, 2},     {FEW_OP_COS, "cos", cos, 2},
    {FEW_OP_TANH, "tanh", tanh, 2},  {FEW_OP_ATAN, "atan", atan, 3},
    {FEW_OP_SQRT, "sqrt", sqrt, .5}, {FEW_OP_FLOOR, "floor", floor, 0},
};

/* Evaluates all of x in one call and prints the largest error. */
static void check_function(few_isa isa, const struct function *f, const double *x, int64_t n) {
  const struct op_call c = {f->op, .out = {1, {n}}, .n_in = 1, .shape = {{1, {n}}}, .in = {x}};
  double *y = apply_cpu(isa, &c), worst = 0, at = 0;
  for (int64_t k = 0; k < n; k++) {
    const double u = ulps(y[k], f->f(x[k]));
    if (u > worst) {
      worst = u;
      at = x[k];
    }
  }
  free(y);
  if (worst > f->most)
    fail_msg("%s(%.9g) on %s: off by %.3g ulp", f->name, at, few__isa_name(isa), worst);
  print_message("%s %s: %.2f ulp at %.9g\n", f->name, few__isa_name(isa), worst, at);
}

/* Bit patterns in steps of a prime: every exponent, both signs, infinities and NaNs. */
static void test_functions(void **state) {
  (void)state;
  const uint32_t step = 8191;
  const int64_t n = 0x100000000 / step + 1;
  double *x = new_array(n);
  for (int64_t k = 0; k < n; k++) x[k] = to_float((uint32_t)k * step);
  FOR_EACH_ISA(isa)
  for (int t = 0; t < FEW_COUNT(functions); t++) check_function(isa, &functions[t], x, n);
  free(x);
}

/* The usual arguments: evenly over [-20, 20] and [-1e4, 1e4], and close to multiples of pi/2. */
static void test_functions_in_use(void **state) {
  (void)state;
  enum { N = 300000 };
  double *x = new_array(N);
  for (int k = 0; k < N; k++) {
    const double u = 2 * (k / 3 + 0.37) / (N / 3) - 1;
    x[k] = k % 3 == 0   ? (double)(float)(20 * u)
           : k % 3 == 1 ? (double)(float)(1e4 * u)
                        : (double)(float)(round(6000 * u) * 1.5707963267948966);
  }
  FOR_EACH_ISA(isa)
  for (int t = 0; t < FEW_COUNT(functions); t++) check_function(isa, &functions[t], x, N);
  free(x);
}

static void test_special_values(void **state) {
  (void)state;
  const double x[] = {0,     -0.0,    INFINITY, -INFINITY, NAN, 88.7F,
                      88.8F, -103.9F, -104.1F,  0x1p-149,  -1};
  const int64_t n = FEW_COUNT(x);
  FOR_EACH_ISA(isa)
  for (int t = 0; t < FEW_COUNT(functions); t++) check_function(isa, &functions[t], x, n);
}

/* ---- Pointwise ops ---- */

static const struct {
  few_op op;
  int arity;
} pointwise[] = {
#define FEW_OP(ENUM, name, arity)
#define FEW_UNARY(ENUM, name, expression) {FEW_OP_##ENUM, 1},
#define FEW_BINARY(ENUM, name, expression) {FEW_OP_##ENUM, 2},
#define FEW_TERNARY(ENUM, name, expression) {FEW_OP_##ENUM, 3},
#include "few/each_op.h"
};

/* Returns a bound on the intermediate values of the op's formula at x. The slope by which a later
 * operation multiplies their rounding errors is below 2. */
static double reach(few_op op, const double *x, double y) {
  switch (op) {
    case FEW_OP_SUB:
    case FEW_OP_ADD:
      return fabs(x[0]) + fabs(x[1]);
    case FEW_OP_AFFINE:
      return 2 * fabs(x[0]) + 1;
    case FEW_OP_GELU:
      return fabs(x[0]) * (1 + x[0] * x[0]);
    case FEW_OP_SILU:
      return fabs(x[0]);
    default:
      return fabs(y);
  }
}

/* The shape of the result, and the shapes that an operand may have. */
static const struct few_shape wholes[] = {{0, {0}},
                                          {1, {1}},
                                          {1, {17}},
                                          {1, {1000}},
                                          {2, {5, 1}},
                                          {4, {2, 3, 5, 7}},
                                          {4, {2, 9, 16, 3}},
                                          {4, {1, 4, 4, 33}},
                                          {4, {3, 1, 2, 600}},
                                          {2, {3, 513}},
                                          {4, {2, 8, 8, 64}},
                                          {1, {0}},
                                          {6, {2, 1, 3, 2, 2, 9}}};

static struct few_shape choose_shape(uint64_t stream, struct few_shape whole) {
  const int kind = pick(stream, 0, 8);
  struct few_shape s = whole;
  if (kind == 0) return FEW_SCALAR;
  if (kind <= 2) return whole;
  for (int k = 0; k < s.rank; k++)
    if (pick(stream, k + 1, 2) && s.dim[k] != 0) s.dim[k] = 1;
  return s;
}

/* Returns the element of an operand of shape s that is broadcast to element k of `whole`. */
static double broadcast_at(const double *x, struct few_shape s, struct few_shape whole, int64_t k) {
  int64_t at = 0, step = 1;
  for (int d = s.rank - 1; d >= 0; d--) {
    if (s.dim[d] != 1) at += k % whole.dim[d] * step;
    k /= whole.dim[d];
    step *= s.dim[d];
  }
  return x[at];
}

static void check_pointwise(bool bf16, int t, struct few_shape whole, uint64_t stream) {
  struct op_call c = {pointwise[t].op, .out = whole, .n_in = pointwise[t].arity};
  double *in[3] = {NULL, NULL, NULL};
  c.attr.affine.a = 2;
  c.attr.affine.b = -0.5;
  for (int i = 0; i < c.n_in; i++) {
    c.shape[i] = i == pick(stream, 99, 3) ? whole : choose_shape(stream * 3 + (uint64_t)i, whole);
    c.in[i] = in[i] = stored_array(bf16, stream * 3 + (uint64_t)i, count_of(c.shape[i]));
    for (int64_t k = 0; k < count_of(c.shape[i]); k++) {
      if (c.op == FEW_OP_LOG || c.op == FEW_OP_SQRT) in[i][k] = fabs(in[i][k]);
      if (c.op == FEW_OP_SELECT && i == 0) in[i][k] = (double)(in[i][k] > 0);
    }
  }
  double *y = apply(&c), *magnitude = new_array(count_of(whole));
  for (int64_t k = 0; k < count_of(whole); k++) {
    double x[3] = {0, 0, 0};
    for (int i = 0; i < c.n_in; i++) x[i] = broadcast_at(in[i], c.shape[i], whole, k);
    magnitude[k] = reach(c.op, x, y[k]);
  }
  check_cpu_stored(bf16, &c, y, magnitude, 8);
  for (int i = 0; i < c.n_in; i++) free(in[i]);
  free(y);
  free(magnitude);
}

static void test_pointwise(void **state) {
  (void)state;
  for (int t = 0; t < FEW_COUNT(pointwise); t++)
    for (int s = 0; s < FEW_COUNT(wholes); s++)
      for (int round = 0; round < 9; round++)
        check_pointwise(round >= 6, t, wholes[s], (uint64_t)((t * 100 + s) * 9 + round));
}

/* ---- Fused programs ---- */

/* A random program: operands, then instructions on earlier registers. */
struct trial {
  struct few_program program;
  struct few_shape whole, shape[FEW_PROGRAM_LEAVES];
  double *leaf[FEW_PROGRAM_LEAVES];
  int aliased[FEW_PROGRAM_STORES]; /* the leaf whose memory the output uses, or -1 */
  bool leaf_bf16[FEW_PROGRAM_LEAVES], out_bf16[FEW_PROGRAM_STORES];
};

static const few_op mixed[] = {FEW_OP_ADD, FEW_OP_MUL,    FEW_OP_MUL,    FEW_OP_ADD, FEW_OP_SUB,
                               FEW_OP_MAX, FEW_OP_MIN,    FEW_OP_TANH,   FEW_OP_SIN, FEW_OP_SILU,
                               FEW_OP_ABS, FEW_OP_AFFINE, FEW_OP_SIGMOID};

static struct trial make_trial(uint64_t id, bool bf16) {
  struct trial t = {.whole = wholes[pick(id, 1000, FEW_COUNT(wholes))]};
  struct few_program *p = &t.program;
  p->n_leaves = 1 + pick(id, 1001, id % 7 == 0 ? FEW_PROGRAM_LEAVES : 4);
  p->n_code = 1 + pick(id, 1002, id % 7 == 0 ? FEW_PROGRAM_MAX : 9);
  for (int l = 0; l < p->n_leaves; l++) {
    t.shape[l] = l == 0 ? t.whole : choose_shape(id * 64 + (uint64_t)l, t.whole);
    t.leaf_bf16[l] = bf16 && pick(id, 8000 + l, 3);
    t.leaf[l] = stored_array(t.leaf_bf16[l], id * 64 + (uint64_t)l, count_of(t.shape[l]));
  }
  for (int k = 0; k < p->n_code; k++) {
    struct few_instruction *code = &p->code[k];
    code->op = mixed[pick(id, 2000 + k, FEW_COUNT(mixed))];
    code->attr.affine.a = -0.75;
    code->attr.affine.b = 0.3;
    for (int i = 0; i < 2; i++) /* mostly recent results, so that chains form */
      code->in[i] = (int16_t)(pick(id, 3000 + 2 * k + i, 3) && k > 0
                                  ? p->n_leaves + k - 1
                                  : pick(id, 4000 + 2 * k + i, p->n_leaves + k));
  }
  p->n_stores = 1 + pick(id, 1003, 4);
  for (int j = 0; j < p->n_stores; j++) {
    p->store[j] = (int16_t)(p->n_leaves + p->n_code - 1 - pick(id, 5000 + j, p->n_code) * (j > 0));
    const int l = pick(id, 6000 + j, p->n_leaves);
    t.out_bf16[j] = bf16 && pick(id, 9000 + j, 3);
    t.aliased[j] = few_shape_equal(t.shape[l], t.whole) && t.leaf_bf16[l] == t.out_bf16[j] &&
                           pick(id, 7000 + j, 2)
                       ? l
                       : -1;
    for (int i = 0; i < j; i++)
      if (t.aliased[i] == t.aliased[j]) t.aliased[j] = -1;
  }
  return t;
}

/* Computes value and error bound of one instruction from those of its operands: errors are
 * multiplied by the slopes of `mixed`, and 4 roundings are added for the longer formulas. */
static void follow(const struct few_instruction *code, const double *x, const double *e, double *y,
                   double *ey) {
  const double eps = FLT_EPSILON;
  *y = few__pointwise(code->op, x, &code->attr);
  switch (code->op) {
    case FEW_OP_ADD:
    case FEW_OP_SUB:
      *ey = e[0] + e[1];
      break;
    case FEW_OP_MUL:
      *ey = fabs(x[0]) * e[1] + fabs(x[1]) * e[0] + e[0] * e[1];
      break;
    case FEW_OP_MAX:
    case FEW_OP_MIN:
      *ey = fmax(e[0], e[1]);
      break;
    case FEW_OP_SILU:
      *ey = 1.1 * e[0] + 4 * eps * fabs(x[0]);
      break;
    case FEW_OP_AFFINE:
      *ey = 0.75 * e[0] + eps * (fabs(x[0]) + 1);
      break;
    default:
      *ey = e[0] + 4 * eps;
      break;
  }
  *ey += 2 * eps * fabs(*y);
}

/* Computes element k of all outputs. Returns false if the numbers become too large or too inexact
 * for floats. */
static bool expect(const struct trial *t, int64_t k, double *want, double *bound) {
  double value[FEW_PROGRAM_LEAVES + FEW_PROGRAM_MAX], error[FEW_PROGRAM_LEAVES + FEW_PROGRAM_MAX];
  const struct few_program *p = &t->program;
  for (int l = 0; l < p->n_leaves; l++) {
    value[l] = broadcast_at(t->leaf[l], t->shape[l], t->whole, k);
    error[l] = 0;
  }
  for (int i = 0; i < p->n_code; i++) {
    const int16_t *in = p->code[i].in;
    const double x[3] = {value[in[0]], value[in[1]], 0}, e[3] = {error[in[0]], error[in[1]], 0};
    follow(&p->code[i], x, e, &value[p->n_leaves + i], &error[p->n_leaves + i]);
    if (!(fabs(value[p->n_leaves + i]) < 1e6)) return false;
  }
  for (int j = 0; j < p->n_stores; j++) {
    want[j] = value[p->store[j]];
    bound[j] = error[p->store[j]];
  }
  return true;
}

static double result_at(const struct few_call *c, int j, int64_t i) {
  return c->bf16[j] ? (double)from_bf16(((uint16_t *)c->outs[j])[i]) : get(FEW_F32, c->outs[j], i);
}

static size_t bytes_of(struct few_shape s, bool bf16) {
  return (size_t)count_of(s) * (bf16 ? sizeof(uint16_t) : sizeof(float));
}

static int64_t check_results(const struct trial *t, const struct few_call *c, few_isa isa,
                             uint64_t id) {
  int64_t checked = 0;
  for (int64_t i = 0; i < count_of(t->whole); i++) {
    double want[FEW_PROGRAM_STORES], bound[FEW_PROGRAM_STORES];
    if (!expect(t, i, want, bound)) continue;
    checked++;
    for (int j = 0; j < t->program.n_stores; j++) {
      if (c->bf16[j]) bound[j] += half_bf16(fabs(want[j]) + bound[j]);
      if (!(fabs(result_at(c, j, i) - want[j]) <= bound[j]))
        fail_msg("program %llu on %s, output %d, element %lld: %.9g, not %.9g +- %.3g",
                 (unsigned long long)id, few__isa_name(isa), j, (long long)i, result_at(c, j, i),
                 want[j], bound[j]);
    }
  }
  return checked;
}

static int64_t check_trial(const struct trial *t, few_isa isa, uint64_t id) {
  const struct few_program *p = &t->program;
  const struct few_kernel k = few__backend_cpu_isa(isa)->fused[FEW_F32];
  struct few_call c = {.shape = t->whole, .n_in = p->n_leaves, .program = p};
  for (int l = 0; l < p->n_leaves; l++) {
    c.in[l].shape = t->shape[l];
    c.in[l].bf16 = t->leaf_bf16[l];
    c.in[l].data = to_stored(c.in[l].bf16, t->leaf[l], count_of(t->shape[l]));
  }
  for (int j = 0; j < p->n_stores; j++) {
    c.bf16[j] = t->out_bf16[j];
    c.outs[j] = t->aliased[j] >= 0 ? (void *)(uintptr_t)c.in[t->aliased[j]].data
                                   : guard_new(bytes_of(t->whole, c.bf16[j]));
  }
  const size_t scratch = k.scratch(&c);
  c.scratch = guard_new(scratch);
  memset(c.scratch, 0xff, scratch);
  k.run(&c);
  const int64_t checked = check_results(t, &c, isa, id);
  guard_free(c.scratch, scratch);
  for (int j = 0; j < p->n_stores; j++)
    if (t->aliased[j] < 0) guard_free(c.outs[j], bytes_of(t->whole, c.bf16[j]));
  for (int l = 0; l < p->n_leaves; l++)
    guard_free((void *)(uintptr_t)c.in[l].data, bytes_of(t->shape[l], c.in[l].bf16));
  return checked;
}

static void check_programs(bool bf16) {
  int64_t checked = 0;
  for (uint64_t id = 0; id < 600; id++) {
    const struct trial t = make_trial(id, bf16);
    FOR_EACH_ISA(isa) checked += check_trial(&t, isa, id);
    for (int l = 0; l < t.program.n_leaves; l++) free(t.leaf[l]);
  }
  assert_true(checked > 100000);
}

static void test_fused(void **state) {
  (void)state;
  check_programs(false);
}

static void test_fused_bf16(void **state) {
  (void)state;
  check_programs(true);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_functions),      cmocka_unit_test(test_functions_in_use),
      cmocka_unit_test(test_special_values), cmocka_unit_test(test_pointwise),
      cmocka_unit_test(test_fused),          cmocka_unit_test(test_fused_bf16),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
