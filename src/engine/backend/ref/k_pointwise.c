/* k_pointwise.c - every pointwise op, from its expression in few/ops.def.
 *
 * Operands are broadcast to the shape of the result. The result may use the memory of an operand of
 * the same shape, since an element is not read after it is written.
 *
 * MAX and MIN are those of the processor: where the comparison is false, as with a NaN, they give
 * the second operand.
 */
#include "real.h"
#include "walk.h"

typedef real (*point_fn)(real X, real Y, real Z, real A, real B);

/* Inlined into each kernel, and f with it. */
__attribute__((always_inline)) static inline void map(const struct few_call *c, point_fn f) {
  static const real zero = 0;
  const real *in[WALK_OPERANDS] = {&zero, &zero, &zero};
  struct walk w = {0};
  for (int o = 0; o < c->n_in; o++) {
    in[o] = c->in[o].data;
    broadcast_strides(c->in[o].shape, c->shape, w.stride[o]);
  }
  walk_start(&w, c->shape);
  const real a = (real)c->node->attr.affine.a, b = (real)c->node->attr.affine.b;
  real *out = c->out;
  for (int64_t row = 0; row < w.rows; row++) {
    const real *x = in[0] + walk_at(&w, 0, row), *y = in[1] + walk_at(&w, 1, row),
               *z = in[2] + walk_at(&w, 2, row);
    for (int64_t j = 0; j < w.len; j++)
      *out++ = f(x[j * w.step[0]], y[j * w.step[1]], z[j * w.step[2]], a, b);
  }
}

/* The functions used in the expressions of ops.def. */
#define C(number) ((real)(number))
#define EXP(x) REAL_MATH(exp)(x)
#define LOG(x) REAL_MATH(log)(x)
#define SIN(x) REAL_MATH(sin)(x)
#define COS(x) REAL_MATH(cos)(x)
#define TANH(x) REAL_MATH(tanh)(x)
#define ATAN(x) REAL_MATH(atan)(x)
#define SQRT(x) REAL_MATH(sqrt)(x)
#define ABS(x) REAL_MATH(fabs)(x)
#define FLOOR(x) REAL_MATH(floor)(x)
#define MAX(x, y) ((x) > (y) ? (x) : (y))
#define MIN(x, y) ((x) < (y) ? (x) : (y))
#define SELECT(c, x, y) ((c) ? (x) : (y))

#define KERNEL(name, expression)                                     \
  static real name##_point(real X, real Y, real Z, real A, real B) { \
    (void)X, (void)Y, (void)Z, (void)A, (void)B;                     \
    return expression;                                               \
  }                                                                  \
  void K(name)(const struct few_call *c) { map(c, name##_point); }   \
  NO_SCRATCH(name)

#define FEW_OP(ENUM, name, arity)
#define FEW_UNARY(ENUM, name, expression) KERNEL(name, expression)
#define FEW_BINARY(ENUM, name, expression) KERNEL(name, expression)
#define FEW_TERNARY(ENUM, name, expression) KERNEL(name, expression)
#include "few/each_op.h"
