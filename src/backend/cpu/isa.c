/* isa.c - the CPU backend: one table of kernels an instruction set, the best chosen at run time.
 *
 * Kernels are written once over the vectors of vec.h and compiled once for each instruction set;
 * each compilation leaves one function that writes its kernels over a table (table.c). The tables
 * start as ref's, so an op without a fast kernel still runs. They are filled on first use and are
 * constant from then on: the only static storage here that is ever written.
 */
#include "backend/cpu/isa.h"

#include <pthread.h>
#include <stdlib.h>

#include "backend/cpu/cpu.h"

#if defined(__x86_64__)
#define ON_X86(x) x
#else
#define ON_X86(x) NULL
#endif

static const struct isa {
  const char *name, *help;
  void (*fill)(struct few_backend *table);
} isas[FEW_ISA_COUNT] = {
    [FEW_ISA_BASE] = {"base", "4-wide vectors", few__cpu_fill_base},
    [FEW_ISA_AVX2] = {"avx2", "AVX2 and FMA", ON_X86(few__cpu_fill_avx2)},
    [FEW_ISA_AVX512] = {"avx512", "AVX-512", ON_X86(few__cpu_fill_avx512)},
};

static struct few_backend tables[FEW_ISA_COUNT]; /* constant once fill_tables() has run */
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void fill_tables(void) {
  for (int i = 0; i < FEW_ISA_COUNT; i++) {
    tables[i] = *few__backend_ref();
    tables[i].name = "cpu";
    tables[i].help = isas[i].help;
    if (isas[i].fill) isas[i].fill(&tables[i]);
  }
}

const char *few__isa_name(few_isa isa) { return isas[isa].name; }

bool few__isa_runs(few_isa isa) {
  if (!isas[isa].fill) return false;
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
  if (!few__isa_runs(isa)) return NULL;
  pthread_once(&tables_once, fill_tables);
  return &tables[isa];
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
