/* table.c - writes the kernels of table.def over a backend's table. */
#include "backend/cpu/cpu.h"

void FEW_ISA(few__cpu_fill)(struct few_backend *table) {
  struct few_kernel *f32 = table->kernel[FEW_F32];
  table->fused[FEW_F32] =
      (struct few_kernel){FEW_ISA(few__cpu_fused), FEW_ISA(few__cpu_fused_scratch)};
  table->fuses_norms[FEW_F32] = true;
#define FEW_CPU_KERNEL(OP, name) \
  f32[FEW_OP_##OP] = (struct few_kernel){FEW_ISA(few__cpu_##name), NULL};
#define FEW_CPU_KERNEL_SCRATCH(OP, name) \
  f32[FEW_OP_##OP] =                     \
      (struct few_kernel){FEW_ISA(few__cpu_##name), FEW_ISA(few__cpu_##name##_scratch)};
#include "backend/cpu/table.def"
}
