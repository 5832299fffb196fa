/* isa.c - the CPU backend: one table of kernels an instruction set, the best chosen at run time.
 *
 * Kernels are written once over the vectors of vec.h and compiled once for each instruction set;
 * each compilation leaves one constant table (table.c). This file is compiled for every machine of
 * the architecture, and it is all that runs before the choice.
 */
#include "isa.h"

#include <stdlib.h>

#include "cpu.h"

#if defined(__x86_64__)
#define ON_X86(x) x
#else
#define ON_X86(x) NULL
#endif

static const struct isa {
  const char *name;
  const struct few_backend *table; /* NULL: not compiled in */
} isas[FEW_ISA_COUNT] = {
    [FEW_ISA_BASE] = {"base", &few__cpu_backend_base},
    [FEW_ISA_AVX2] = {"avx2", ON_X86(&few__cpu_backend_avx2)},
    [FEW_ISA_AVX512] = {"avx512", ON_X86(&few__cpu_backend_avx512)},
};

const char *few__isa_name(few_isa isa) { return isas[isa].name; }

bool few__isa_runs(few_isa isa) {
  if (!isas[isa].table) return false;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (isa == FEW_ISA_AVX2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (isa == FEW_ISA_AVX512)
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("fma");
#endif
  return true;
}

const struct few_backend *few__backend_cpu_isa(few_isa isa) {
  return few__isa_runs(isa) ? isas[isa].table : NULL;
}

few_isa few__isa_find(const char *name) {
  few_isa isa = 0;
  while (isa < FEW_ISA_COUNT && strcmp(isas[isa].name, name)) isa++;
  return isa;
}

few_isa few__isa_used(void) {
  const char *limit = getenv("FEW_CPU_ISA");
  few_isa best = limit ? few__isa_find(limit) : FEW_ISA_COUNT;
  if (best == FEW_ISA_COUNT) best--;
  while (!few__isa_runs(best)) best--;
  return best;
}

const char *few__backend_cpu_set(void) { return isas[few__isa_used()].name; }
const struct few_backend *few__backend_cpu(void) { return few__backend_cpu_isa(few__isa_used()); }
