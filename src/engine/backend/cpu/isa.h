/* isa.h - which instruction set the CPU kernels run on. */
#ifndef FEW_SRC_CPU_ISA_H
#define FEW_SRC_CPU_ISA_H

#include "engine/backend/backend.h"

typedef enum few_isa {
  FEW_ISA_BASE,       /* what every machine of the architecture has; 4 floats */
  FEW_ISA_AVX2,       /* AVX2 and FMA; 8 floats */
  FEW_ISA_AVX512,     /* AVX-512 F, DQ, BW, VL; 16 floats */
  FEW_ISA_AVX512BF16, /* and products of pairs in bf16 */
  FEW_ISA_AMX,        /* and tile registers for bf16 */
  FEW_ISA_COUNT
} few_isa;

const char *few__isa_name(few_isa isa);  /* "base", "avx2", "avx512", "avx512bf16", "amx" */
few_isa few__isa_find(const char *name); /* FEW_ISA_COUNT if there is none of that name */
bool few__isa_runs(few_isa isa);         /* compiled in, and this processor has it */
/* The CPU backend held to one instruction set, for tests and benches; NULL if it does not run here.
 * few__backend_cpu() is the one of few__isa_used(). */
const struct few_backend *few__backend_cpu_isa(few_isa isa);
/* Does this set have units for products in bf16? Elsewhere they are computed, but slowly. */
bool few__isa_bf16(few_isa isa);
/* The last that runs here, and none beyond the one that the environment's FEW_CPU_ISA names. */
few_isa few__isa_used(void);

#endif
