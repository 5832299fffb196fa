/* isa.h - the instruction sets of the CPU kernels, and the choice of one. */
#ifndef FEW_SRC_CPU_ISA_H
#define FEW_SRC_CPU_ISA_H

#include "engine/backend/backend.h"

typedef enum few_isa {
  FEW_ISA_BASE,       /* supported by every machine of the architecture; vectors of 4 floats */
  FEW_ISA_AVX2,       /* AVX2 and FMA; vectors of 8 floats */
  FEW_ISA_AVX512,     /* AVX-512 F, DQ, BW, VL; vectors of 16 floats */
  FEW_ISA_AVX512BF16, /* AVX-512 as above, and dot products of pairs in bf16 */
  FEW_ISA_AMX,        /* AVX-512 as above, and tile registers for bf16 */
  FEW_ISA_COUNT
} few_isa;

const char *few__isa_name(few_isa isa);  /* "base", "avx2", "avx512", "avx512bf16", "amx" */
few_isa few__isa_find(const char *name); /* FEW_ISA_COUNT for an unknown name */
bool few__isa_runs(few_isa isa);         /* true if compiled in and this processor has it */
/* The CPU backend for one instruction set, for tests and benches; NULL if the set does not run
 * here. few__backend_cpu() returns the backend for few__isa_used(). */
const struct few_backend *few__backend_cpu_isa(few_isa isa);
/* Whether the set has units for products in bf16. Without units such products are slow. */
bool few__isa_bf16(few_isa isa);
/* The best instruction set that runs here, but none better than the one that the environment
 * variable FEW_CPU_ISA names. */
few_isa few__isa_used(void);

#endif
