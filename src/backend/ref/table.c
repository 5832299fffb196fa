/* table.c - the reference backend: plain loops for every op, in f32 and f64. They define what each
 * op computes; faster backends are tested against them.
 */
#include "backend/ref/ref.h"

/* Ops that the plan serves without a kernel: sources that are fed once, and views. */
#define NO_KERNEL(op)                                                                             \
  ((op) == FEW_OP_INPUT || (op) == FEW_OP_PARAM || (op) == FEW_OP_FILL || (op) == FEW_OP_CONST || \
   (op) == FEW_OP_STOP || (op) == FEW_OP_RESHAPE)

#define ROW(op, run, scratch) \
  [op] = {NO_KERNEL(op) ? NULL : (run), NO_KERNEL(op) ? NULL : (scratch)},

static const struct few_backend ref = {
    .name = "ref",
    .help = "plain loops, the definition of every op",
    .kernel[FEW_F32] =
        {
#define FEW_OP(ENUM, name, arity) \
  ROW(FEW_OP_##ENUM, few__ref_##name##_f32, few__ref_##name##_scratch_f32)
#include "few/ops.def"
        },
    .kernel[FEW_F64] =
        {
#define FEW_OP(ENUM, name, arity) \
  ROW(FEW_OP_##ENUM, few__ref_##name##_f64, few__ref_##name##_scratch_f64)
#include "few/ops.def"
        },
};

const struct few_backend *few__backend_ref(void) { return &ref; }
