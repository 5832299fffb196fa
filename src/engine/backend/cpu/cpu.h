/* cpu.h - common declarations for the files of this folder.
 *
 * Every file here except isa.c is compiled once per instruction set, with FEW_CPU_ISA set to base,
 * avx2 or avx512, and FEW_CPU_HELP to a line about it. Exported names are made by FEW_ISA(), so
 * that the compilations do not collide: `void FEW_ISA(few__softmax)(...)` is few__softmax_avx2 in
 * one of them. A kernel joins the backend by a row in table.def, which also declares it.
 */
#ifndef FEW_SRC_CPU_H
#define FEW_SRC_CPU_H

#include "engine/backend/backend.h"

#define FEW_ISA_PASTE(name, isa) name##_##isa
#define FEW_ISA_EXPAND(name, isa) FEW_ISA_PASTE(name, isa)
#define FEW_ISA(name) FEW_ISA_EXPAND(name, FEW_CPU_ISA)

/* A set for matrix units compiles only bf16/ and table.c. Its kernels of f32 are those of the set
 * that FEW_CPU_F32 names. */
#define FEW_F32_SET(name) FEW_ISA_EXPAND(name, FEW_CPU_F32)

#ifdef FEW_CPU_ISA
#define FEW_CPU_KERNEL(OP, name) void FEW_F32_SET(few__cpu_##name)(const struct few_call *call);
#define FEW_CPU_KERNEL_SCRATCH(OP, name)                          \
  void FEW_F32_SET(few__cpu_##name)(const struct few_call *call); \
  size_t FEW_F32_SET(few__cpu_##name##_scratch)(const struct few_call *call);
#define FEW_CPU_PRODUCT(OP, name)                              \
  void FEW_ISA(few__bf16_##name)(const struct few_call *call); \
  size_t FEW_ISA(few__bf16_##name##_scratch)(const struct few_call *call);
#define FEW_CPU_PRODUCT_PACKED(OP, name)                                  \
  FEW_CPU_PRODUCT(OP, name)                                               \
  size_t FEW_ISA(few__bf16_##name##_packed)(const struct few_call *call); \
  void FEW_ISA(few__bf16_##name##_pack)(const struct few_call *call, void *to);
#define FEW_CPU_BF16(OP)
#include "table.def"
#undef FEW_CPU_KERNEL
#undef FEW_CPU_KERNEL_SCRATCH
#undef FEW_CPU_BF16
#undef FEW_CPU_PRODUCT
#undef FEW_CPU_PRODUCT_PACKED
/* Fused pointwise programs. */
void FEW_F32_SET(few__cpu_fused)(const struct few_call *call);
size_t FEW_F32_SET(few__cpu_fused_scratch)(const struct few_call *call);
#endif

/* Bytes of a processor's second-level cache, for the size of blocks: 256 KiB to 8 MiB; 1 MiB if the
 * system does not report it. Blocks that depend on it may not change a result. */
int64_t few__cpu_cache(void);

/* The table of each compilation. No other code of a compilation may be called before
 * few__isa_runs() has returned true for its instruction set: scripts/check/isa.py. */
extern const struct few_backend few__cpu_backend_base, few__cpu_backend_avx2,
    few__cpu_backend_avx512, few__cpu_backend_avx512bf16, few__cpu_backend_amx;

#endif
