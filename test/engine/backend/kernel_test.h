/* kernel_test.h - calls reference kernels directly, on tensors of doubles.
 *
 * A struct op_call describes a call. `apply` runs the f64 kernel and returns its result.
 * `check_f32` runs the f32 kernel on the same inputs (random_array gives numbers that are floats)
 * and checks |y32 - y64| <= terms * FLT_EPSILON * magnitude, where magnitude bounds the sum of
 * |terms| of each element. Every result is between guard bytes.
 * */
#ifndef FEW_KERNEL_TEST_H
#define FEW_KERNEL_TEST_H

#include <float.h>

#include "base/rng.h"
#include "engine/backend/backend.h"
#include "engine/backend/shape.h"
#include "testing.h"

enum { GUARD = 64, GUARD_BYTE = 0xA5 };

/* An op on operands: in[k] has shape[k]; index operands (int32) go to `index` instead. */
struct op_call {
  few_op op;
  union few_attr attr;
  struct few_shape out;
  int n_in;
  struct few_shape shape[FEW_MAX_IN];
  const double *in[FEW_MAX_IN];
  const int32_t *index; /* operand 0, if not NULL */
  struct few_replay_key key;
};

/* Returns `bytes` bytes between two guards. Free them with guard_free, which checks the guards. */
static inline void *guard_new(size_t bytes) {
  size_t whole = (bytes + GUARD - 1) / GUARD * GUARD + 2 * GUARD;
  unsigned char *p = aligned_alloc(GUARD, whole);
  assert_non_null(p);
  memset(p, GUARD_BYTE, whole);
  return p + GUARD;
}

static inline void guard_free(void *at, size_t bytes) {
  unsigned char *p = (unsigned char *)at;
  for (int k = 0; k < GUARD; k++) {
    assert_int_equal(p[k - GUARD], GUARD_BYTE);
    assert_int_equal(p[bytes + (size_t)k], GUARD_BYTE);
  }
  free(p - GUARD);
}

static inline void *to_real(few_real type, const double *x, int64_t n) {
  void *to = guard_new((size_t)n * few__real_size(type));
  for (int64_t k = 0; k < n; k++) {
    if (type == FEW_F64)
      ((double *)to)[k] = x[k];
    else
      ((float *)to)[k] = (float)x[k];
  }
  return to;
}

static inline double get(few_real type, const void *x, int64_t k) {
  return type == FEW_F64 ? ((const double *)x)[k] : (double)((const float *)x)[k];
}

/* Runs the kernel of one number type; y has room for the result as doubles. Checks that nothing
 * around the result and scratch and nothing in the operands is written. */
static inline void apply_as(few_real type, const struct op_call *t, double *y) {
  const struct few_kernel k = few__backend_find("ref")->kernel[type][t->op];
  const size_t size = few__real_size(type);
  struct few_node_data node = {
      .op = t->op, .shape = t->out, .n_in = t->n_in, .attr = t->attr, .scope = ""};
  struct few_call c = {.node = &node, .shape = t->out, .n_in = t->n_in, .key = t->key};
  void *copy[FEW_MAX_IN] = {0};
  for (int i = 0; i < t->n_in; i++) {
    c.in[i].shape = t->shape[i];
    copy[i] = t->in[i] ? to_real(type, t->in[i], count_of(t->shape[i])) : NULL;
    c.in[i].data = copy[i] ? copy[i] : t->index;
  }
  const int64_t n = count_of(t->out);
  const size_t scratch = k.scratch ? k.scratch(&c) : 0;
  assert_non_null(k.run);
  c.out = guard_new((size_t)n * size);
  c.scratch = guard_new(scratch);
  k.run(&c);
  for (int64_t j = 0; j < n; j++) y[j] = get(type, c.out, j);
  guard_free(c.out, (size_t)n * size);
  guard_free(c.scratch, scratch);
  for (int i = 0; i < t->n_in; i++) {
    if (!copy[i]) continue;
    const int64_t m = count_of(t->shape[i]);
    for (int64_t j = 0; j < m; j++)
      assert_true(get(type, copy[i], j) ==
                  (type == FEW_F64 ? t->in[i][j] : (double)(float)t->in[i][j]));
    guard_free(copy[i], (size_t)m * size);
  }
}

static inline double *new_array(int64_t n) {
  double *x = calloc((size_t)n + 1, sizeof *x);
  assert_non_null(x);
  return x;
}

/* Runs the f64 kernel. Returns its result, which is yours to free. */
static inline double *apply(const struct op_call *t) {
  double *y = new_array(count_of(t->out));
  apply_as(FEW_F64, t, y);
  return y;
}

/* Checks that the f32 result is within terms * FLT_EPSILON * magnitude[k] of the f64 result y. */
static inline void check_f32(const struct op_call *t, const double *y, const double *magnitude,
                             double terms) {
  const int64_t n = count_of(t->out);
  double *single = new_array(n);
  apply_as(FEW_F32, t, single);
  for (int64_t k = 0; k < n; k++)
    assert_close(single[k], y[k], terms * FLT_EPSILON * fabs(magnitude[k]));
  free(single);
}

/* Checks the f32 result of an op that is linear in each operand with positive coefficients. The sum
 * of |terms| is then the op on |operands|. */
static inline void check_f32_linear(const struct op_call *t, const double *y, double terms) {
  struct op_call absolute = *t;
  double *copy[FEW_MAX_IN] = {0};
  for (int i = 0; i < t->n_in; i++) {
    const int64_t n = count_of(t->shape[i]);
    copy[i] = new_array(n);
    for (int64_t k = 0; k < n; k++) copy[i][k] = fabs(t->in[i][k]);
    absolute.in[i] = copy[i];
  }
  double *magnitude = apply(&absolute);
  check_f32(t, y, magnitude, terms);
  free(magnitude);
  for (int i = 0; i < t->n_in; i++) free(copy[i]);
}

/* Returns normal random numbers that are floats. Different streams give different arrays. */
static inline double *random_array(uint64_t stream, int64_t n) {
  double *x = new_array(n);
  few__rng_normal_f64(&(struct few_rng){.seed = 1, .row = stream, .purpose = FEW_RNG_CHECK}, n, x);
  for (int64_t k = 0; k < n; k++) x[k] = (double)(float)x[k];
  return x;
}

static inline double inner(const double *a, const double *b, int64_t n) {
  double s = 0;
  for (int64_t k = 0; k < n; k++) s += a[k] * b[k];
  return s;
}

/* Returns sum |a b|. Rounding errors of inner(a, b) are relative to it. */
static inline double inner_abs(const double *a, const double *b, int64_t n) {
  double s = 0;
  for (int64_t k = 0; k < n; k++) s += fabs(a[k] * b[k]);
  return s;
}

#endif
