/* table.c - the reference backend: plain loops for every op, in f32 and f64. They define what each
 * op computes; faster backends are tested against them.
 */
#include "ref.h"

static const struct few_backend ref = {
    .name = "ref",
    .help = "plain loops that define every op; slow",
    .kernel[FEW_F32] =
        {
#define FEW_OP(ENUM, name, arity) FEW_REF_ROW(ENUM, name, f32)
#include "few/each_op.h"
        },
    .kernel[FEW_F64] =
        {
#define FEW_OP(ENUM, name, arity) FEW_REF_ROW(ENUM, name, f64)
#include "few/each_op.h"
        },
};

const struct few_backend *few__backend_ref(void) { return &ref; }
