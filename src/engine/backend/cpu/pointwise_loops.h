/* pointwise_loops.h - each pointwise op as a loop over arrays, from its expression in ops.def. */
#ifndef FEW_SRC_CPU_POINTWISE_LOOPS_H
#define FEW_SRC_CPU_POINTWISE_LOOPS_H

#include "cpu.h"
#include "vmath.h"

typedef void (*loop_fn)(float *out, const float *const in[3], float a, float b, int64_t n);

#define C(number) vf_set((float)(number))
#define EXP vf_exp
#define LOG vf_log
#define SIN vf_sin
#define COS vf_cos
#define TANH vf_tanh
#define ATAN vf_atan
#define SQRT vf_sqrt
#define ABS vf_abs
#define FLOOR vf_floor
#define MAX vf_max
#define MIN vf_min
#define SELECT vf_select

#define LOOP(name, expression, load_y, load_z)                                                    \
  static void name##_loop(float *out, const float *const in[3], float a, float b, int64_t n) {    \
    const vf A = vf_set(a), B = vf_set(b);                                                        \
    const float *px = in[0], *py = in[1], *pz = in[2];                                            \
    (void)A, (void)B, (void)py, (void)pz;                                                         \
    int64_t i = 0;                                                                                \
    for (; i + VF_W <= n; i += VF_W) {                                                            \
      const vf X = vf_load(px + i);                                                               \
      load_y(const vf Y = vf_load(py + i);) load_z(const vf Z = vf_load(pz + i);)                 \
          vf_store(out + i, expression);                                                          \
    }                                                                                             \
    if (i == n) return;                                                                           \
    const vf X = vf_load_n(px + i, n - i);                                                        \
    load_y(const vf Y = vf_load_n(py + i, n - i);) load_z(const vf Z = vf_load_n(pz + i, n - i);) \
        vf_store_n(out + i, expression, n - i);                                                   \
  }
#define YES(x) x
#define NO(x)

#define FEW_OP(ENUM, name, arity)
#define FEW_UNARY(ENUM, name, expression) LOOP(name, expression, NO, NO)
#define FEW_BINARY(ENUM, name, expression) LOOP(name, expression, YES, NO)
#define FEW_TERNARY(ENUM, name, expression) LOOP(name, expression, YES, YES)
#include "few/each_op.h"
LOOP(product_sum, vf_fma(X, Y, Z), YES, YES)

static const struct pointwise {
  loop_fn loop;
  int arity;
} ops[FEW_OP_COUNT] = {
#define FEW_OP(ENUM, name, arity)
#define FEW_UNARY(ENUM, name, expression) [FEW_OP_##ENUM] = {name##_loop, 1},
#define FEW_BINARY(ENUM, name, expression) [FEW_OP_##ENUM] = {name##_loop, 2},
#define FEW_TERNARY(ENUM, name, expression) [FEW_OP_##ENUM] = {name##_loop, 3},
#include "few/each_op.h"
};

#endif
