/* ref.h - the names of the reference kernels: few__ref_<op>_f32 and few__ref_<op>_f64.
 *
 * Declared by X-macro, so a new op needs its file here and nothing else; each kernel comes with the
 * function that says how much scratch it needs. Sources that are fed and views are declared but
 * defined nowhere: table.c leaves them out.
 */
#ifndef FEW_SRC_REF_H
#define FEW_SRC_REF_H

#include "backend/backend.h"

#define FEW_OP(ENUM, name, arity)                                 \
  void few__ref_##name##_f32(const struct few_call *c);           \
  void few__ref_##name##_f64(const struct few_call *c);           \
  size_t few__ref_##name##_scratch_f32(const struct few_call *c); \
  size_t few__ref_##name##_scratch_f64(const struct few_call *c);
#include "few/ops.def"

#endif
