/* table.c - the CPU backend for one instruction set: ref's kernels, replaced by those of table.def
 * where there is one.
 *
 * The table is constant data, filled by the compiler and the linker. Code to fill it would be
 * compiled for the instruction set too, and would crash on a processor without it before the choice
 * is made.
 */
#include "bf16/tile.h"
#include "cpu.h"
#include "engine/backend/ref/ref.h"

#pragma GCC diagnostic ignored "-Woverride-init" /* a later row replaces an earlier one */

const struct few_backend FEW_ISA(few__cpu_backend) = {
    .name = "cpu",
    .help = FEW_CPU_HELP,
    .kernel[FEW_F32] =
        {
#define FEW_OP(ENUM, name, arity) FEW_REF_ROW(ENUM, name, f32)
#include "few/each_op.h"
#define FEW_CPU_KERNEL(OP, name) [FEW_OP_##OP] = {.run = FEW_F32_SET(few__cpu_##name)},
#define FEW_CPU_KERNEL_SCRATCH(OP, name)                \
  [FEW_OP_##OP] = {.run = FEW_F32_SET(few__cpu_##name), \
                   .scratch = FEW_F32_SET(few__cpu_##name##_scratch)},
#define FEW_CPU_PRODUCT(OP, name) \
  [FEW_OP_##                      \
      OP] = {.run = FEW_ISA(few__bf16_##name), .scratch = FEW_ISA(few__bf16_##name##_scratch)},
#define FEW_CPU_PRODUCT_PACKED(OP, name)                           \
  [FEW_OP_##OP] = {.run = FEW_ISA(few__bf16_##name),               \
                   .scratch = FEW_ISA(few__bf16_##name##_scratch), \
                   .packed = FEW_ISA(few__bf16_##name##_packed),   \
                   .pack = FEW_ISA(few__bf16_##name##_pack)},
#define FEW_CPU_BF16(OP)
#include "table.def"
#undef FEW_CPU_KERNEL
#undef FEW_CPU_KERNEL_SCRATCH
#undef FEW_CPU_BF16
#undef FEW_CPU_PRODUCT
#undef FEW_CPU_PRODUCT_PACKED
        },
    .kernel[FEW_F64] =
        {
#define FEW_OP(ENUM, name, arity) FEW_REF_ROW(ENUM, name, f64)
#include "few/each_op.h"
        },
    .fused[FEW_F32] = {.run = FEW_F32_SET(few__cpu_fused),
                       .scratch = FEW_F32_SET(few__cpu_fused_scratch)},
    .fuses_norms[FEW_F32] = true,
    .precision[FEW_BF16] = true,
    .bf16_only_stored = BF16_ONLY_STORED,
    .bf16 =
        {
#define FEW_CPU_KERNEL(OP, name)
#define FEW_CPU_KERNEL_SCRATCH(OP, name)
#define FEW_CPU_PRODUCT(OP, name) [FEW_OP_##OP] = true,
#define FEW_CPU_PRODUCT_PACKED(OP, name) [FEW_OP_##OP] = true,
#define FEW_CPU_BF16(OP) [FEW_OP_##OP] = true,
#include "table.def"
        },
};
