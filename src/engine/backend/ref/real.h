/* real.h - common declarations of the kernel files. Each file is compiled twice, with
 * FEW_REAL_IS_F64 = 0 and 1: `real` is its number type and K(name) its symbol.
 */
#ifndef FEW_SRC_REF_REAL_H
#define FEW_SRC_REF_REAL_H

#include <math.h>

#include "engine/backend/shape.h"
#include "ref.h"

#if FEW_REAL_IS_F64
typedef double real;
#define K(name) few__ref_##name##_f64
#define REAL_MATH(name) name /* exp */
#else
typedef float real;
#define K(name) few__ref_##name##_f32
#define REAL_MATH(name) name##f /* expf */
#endif

/* At the end of a file whose kernel `name` needs no scratch. */
#define NO_SCRATCH(name)                               \
  size_t K(name##_scratch)(const struct few_call *c) { \
    FEW_UNUSED(c);                                     \
    return 0;                                          \
  }

static inline void clear(real *x, int64_t n) { memset(x, 0, (size_t)n * sizeof *x); }

#endif
