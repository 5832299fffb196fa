/* ref.h - the names of the reference kernels: few__ref_<op>_f32 and few__ref_<op>_f64.
 *
 * Declared by X-macro, so a new op needs its file here and nothing else; each kernel comes with a
 * function that returns the scratch it needs. Sources without a kernel and views are declared but
 * defined nowhere: FEW_REF_ROW leaves them out.
 */
#ifndef FEW_SRC_REF_H
#define FEW_SRC_REF_H

#include "engine/backend/backend.h"

#define FEW_OP(ENUM, name, arity)                                 \
  void few__ref_##name##_f32(const struct few_call *c);           \
  void few__ref_##name##_f64(const struct few_call *c);           \
  size_t few__ref_##name##_scratch_f32(const struct few_call *c); \
  size_t few__ref_##name##_scratch_f64(const struct few_call *c);
#include "few/each_op.h"

/* Ops without a kernel: views, and sources other than random numbers. */
#define FEW_REF_NONE(op)                                                                          \
  ((op) == FEW_OP_INPUT || (op) == FEW_OP_PARAM || (op) == FEW_OP_FILL || (op) == FEW_OP_CONST || \
   (op) == FEW_OP_STOP || (op) == FEW_OP_RESHAPE)

/* An op's entry in struct few_backend.kernel: constant data, in ref's own table and in those that
 * start from it. */
#define FEW_REF_ROW(ENUM, name, real)                                                \
  [FEW_OP_##                                                                         \
      ENUM] = {.run = FEW_REF_NONE(FEW_OP_##ENUM) ? NULL : few__ref_##name##_##real, \
               .scratch = FEW_REF_NONE(FEW_OP_##ENUM) ? NULL : few__ref_##name##_scratch_##real},

#endif
