/* cpu_test.h - calls the kernels of the CPU backend directly, on every instruction set that runs
 * here. */
#ifndef FEW_CPU_TEST_H
#define FEW_CPU_TEST_H

#include "engine/backend/cpu/isa.h"
#include "kernel_test.h"

/* for (each instruction set this processor has) */
#define FOR_EACH_ISA(isa)                           \
  for (few_isa isa = 0; isa < FEW_ISA_COUNT; isa++) \
    if (few__isa_runs(isa))

/* How the arrays of an f32 call are stored: which operands, one bit each, and whether the result is
 * in bf16. All arrays begin at a cache line or, if `unaligned`, one number after it. */
struct stored {
  unsigned in;
  bool out, direct, unaligned;
};

static inline uint16_t to_bf16(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return isnan(x) ? 0x7fc0 : (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
static inline float from_bf16(uint16_t half) {
  const uint32_t bits = (uint32_t)half << 16;
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static inline void *to_stored(bool bf16, const double *x, int64_t n) {
  if (!bf16) return to_real(FEW_F32, x, n);
  uint16_t *to = guard_new((size_t)n * sizeof *to);
  for (int64_t k = 0; k < n; k++) to[k] = to_bf16((float)x[k]);
  return to;
}

static inline size_t number_bytes(bool bf16) { return bf16 ? sizeof(uint16_t) : sizeof(float); }

/* Stores x in f32 or bf16, after `skip` unused numbers. */
static inline char *to_place(int64_t skip, bool bf16, const double *x, int64_t n) {
  const size_t bytes = (size_t)n * number_bytes(bf16), before = (size_t)skip * number_bytes(bf16);
  void *numbers = to_stored(bf16, x, n);
  char *to = guard_new(before + bytes);
  memcpy(to + before, numbers, bytes);
  guard_free(numbers, bytes);
  return to;
}

/* Runs the f32 kernel. Returns the result as doubles, yours to free. The result and the scratch are
 * between guard bytes. The scratch is full of NaN, since a kernel must not read what it has not
 * written. */
static inline double *apply_cpu_as(few_isa isa, const struct op_call *t, struct stored as) {
  const struct few_kernel k = few__backend_cpu_isa(isa)->kernel[FEW_F32][t->op];
  struct few_node_data node = {
      .op = t->op, .shape = t->out, .n_in = t->n_in, .attr = t->attr, .scope = ""};
  struct few_call c = {
      .node = &node, .shape = t->out, .n_in = t->n_in, .key = t->key, .direct = as.direct};
  c.precision = as.in || as.out ? FEW_BF16 : FEW_FP32;
  c.bf16[0] = as.out;
  char *copy[FEW_MAX_IN] = {0};
  for (int i = 0; i < t->n_in; i++) {
    c.in[i].shape = t->shape[i];
    c.in[i].bf16 = as.in >> i & 1;
    if (t->in[i]) copy[i] = to_place(as.unaligned, c.in[i].bf16, t->in[i], count_of(t->shape[i]));
    c.in[i].data = t->index;
    if (copy[i]) c.in[i].data = copy[i] + as.unaligned * number_bytes(c.in[i].bf16);
  }
  const int64_t n = count_of(t->out);
  const size_t skip = as.unaligned * number_bytes(as.out),
               size = skip + (size_t)n * number_bytes(as.out),
               scratch = k.scratch ? k.scratch(&c) : 0;
  char *out = guard_new(size);
  memset(out, 0xff, size);
  c.out = out + skip;
  c.scratch = guard_new(scratch);
  memset(c.scratch, 0xff, scratch);
  k.run(&c);
  double *y = new_array(n);
  for (int64_t j = 0; j < n; j++)
    y[j] = as.out ? (double)from_bf16(((uint16_t *)c.out)[j]) : get(FEW_F32, c.out, j);
  for (size_t b = 0; b < skip; b++) assert_int_equal((unsigned char)out[b], 0xff);
  guard_free(out, size);
  guard_free(c.scratch, scratch);
  for (int i = 0; i < t->n_in; i++)
    if (copy[i])
      guard_free(copy[i],
                 (size_t)(count_of(t->shape[i]) + as.unaligned) * number_bytes(c.in[i].bf16));
  return y;
}

static inline double *apply_cpu(few_isa isa, const struct op_call *t) {
  return apply_cpu_as(isa, t, (struct stored){0});
}

/* The largest rounding error of storing numbers up to `most` in bf16: half a unit in the last
 * place. */
static inline double half_bf16(double most) {
  int e;
  frexp(fabs(most), &e);
  return ldexp(1, e - 9 < -134 ? -134 : e - 9);
}

/* Checks that the kernel of one instruction set is within terms * FLT_EPSILON * magnitude[k] of y.
 * A result in bf16 may be off by its rounding error in addition. */
static inline void check_cpu_as(few_isa isa, const struct op_call *t, struct stored as,
                                const double *y, const double *magnitude, double terms) {
  const int64_t n = count_of(t->out);
  double *z = apply_cpu_as(isa, t, as);
  for (int64_t k = 0; k < n; k++) {
    double bound = terms * FLT_EPSILON * fabs(magnitude[k]);
    if (as.out) bound += half_bf16(fabs(y[k]) + bound);
    if (!(fabs(z[k] - y[k]) <= bound))
      fail_msg(
          "op %d on %s, operands in bf16 %x, result %d, element %lld of %lld: %.9g, not %.9g: "
          "off by %.3g > %.3g",
          (int)t->op, few__isa_name(isa), as.in, as.out, (long long)k, (long long)n, z[k], y[k],
          z[k] - y[k], bound);
  }
  free(z);
}

/* Checks the kernel on every instruction set, with all arrays in f32. */
static inline void check_cpu(const struct op_call *t, const double *y, const double *magnitude,
                             double terms) {
  FOR_EACH_ISA(isa) check_cpu_as(isa, t, (struct stored){0}, y, magnitude, terms);
}

/* Checks one instruction set with every way to store the operands and the result, except all in
 * f32. */
static inline void check_cpu_ways(few_isa isa, const struct op_call *t, const double *y,
                                  const double *magnitude, double terms) {
  for (unsigned way = 2; way < 4u << t->n_in; way++)
    check_cpu_as(isa, t, (struct stored){.in = way >> 2, .out = way >> 1 & 1, .unaligned = way & 1},
                 y, magnitude, terms);
}

/* Checks the kernel on every instruction set: with all arrays in f32, or, if `bf16`, in all other
 * ways to store operands and result. The operands must then be bf16 numbers, as from
 * stored_array(). */
static inline void check_cpu_stored(bool bf16, const struct op_call *t, const double *y,
                                    const double *magnitude, double terms) {
  if (!bf16) {
    check_cpu(t, y, magnitude, terms);
    return;
  }
  FOR_EACH_ISA(isa) check_cpu_ways(isa, t, y, magnitude, terms);
}

static inline void round_to_bf16(double *x, int64_t n) {
  for (int64_t k = 0; k < n; k++) x[k] = (double)from_bf16(to_bf16((float)x[k]));
}
static inline double *stored_array(bool bf16, uint64_t stream, int64_t n) {
  double *x = random_array(stream, n);
  if (bf16) round_to_bf16(x, n);
  return x;
}

/* Returns a random whole number in [0, n), the `at`-th of a stream. */
static inline int pick(uint64_t stream, int at, int n) {
  uint32_t w[4];
  few__rng_block(&(struct few_rng){.seed = 2, .row = stream, .purpose = FEW_RNG_CHECK},
                 (uint32_t)at, w);
  return (int)(w[0] % (uint32_t)n);
}

/* A call that computes `count` products [m x n] = [m x k] [k x n]. ta and tb: the first or second
 * factor is stored transposed. The second factor may be shared by all products. */
static inline struct op_call matmul_call(int64_t count, int64_t m, int64_t n, int64_t k, int ta,
                                         int tb, bool shared) {
  struct op_call c = {FEW_OP_MATMUL, .attr.matmul = {ta, tb}, .n_in = 2};
  c.out = FEW_SHAPE(count, m, n);
  c.shape[0] = ta ? FEW_SHAPE(count, k, m) : FEW_SHAPE(count, m, k);
  c.shape[1] = tb ? FEW_SHAPE(count, n, k) : FEW_SHAPE(count, k, n);
  if (shared) c.shape[1] = tb ? FEW_SHAPE(n, k) : FEW_SHAPE(k, n);
  return c;
}

#endif
