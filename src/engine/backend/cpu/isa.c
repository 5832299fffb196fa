/* isa.c - the CPU backend: one table of kernels per instruction set, the best chosen at run time.
 *
 * Kernels are written once over the vectors of vec.h and compiled once for each instruction set;
 * each compilation makes one constant table (table.c). This file is compiled for the base set,
 * which every machine of the architecture has, and is the only code that runs before the choice.
 */
#define _DEFAULT_SOURCE /* syscall */
#include "isa.h"

#include <stdlib.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#endif

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
    [FEW_ISA_AVX512BF16] = {"avx512bf16", ON_X86(&few__cpu_backend_avx512bf16)},
    [FEW_ISA_AMX] = {"amx", ON_X86(&few__cpu_backend_amx)},
};

const char *few__isa_name(few_isa isa) { return isas[isa].name; }

#if defined(__x86_64__)

static bool has_avx512(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("fma");
}

/* A bit of a leaf of CPUID, for features that not all compilers have a name for. */
static bool cpuid_bit(unsigned leaf, unsigned subleaf, int reg, int bit) {
  unsigned r[4];
  return __get_cpuid_count(leaf, subleaf, &r[0], &r[1], &r[2], &r[3]) && r[reg] >> bit & 1;
}

static bool has_avx512bf16(void) { return has_avx512() && cpuid_bit(7, 1, 0, 5); }

/* Linux allocates memory to save the tile registers only for a process that has requested it. */
static bool has_amx(void) {
#if defined(__linux__)
  enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
  return has_avx512() && cpuid_bit(7, 0, 3, 24) && cpuid_bit(7, 0, 3, 22) &&
         !syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA);
#else
  return false;
#endif
}

#endif

bool few__isa_runs(few_isa isa) {
  if (!isas[isa].table) return false;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (isa == FEW_ISA_AVX2) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (isa == FEW_ISA_AVX512) return has_avx512();
  if (isa == FEW_ISA_AVX512BF16) return has_avx512bf16();
  if (isa == FEW_ISA_AMX) return has_amx();
#endif
  return true;
}

bool few__isa_bf16(few_isa isa) { return isa == FEW_ISA_AVX512BF16 || isa == FEW_ISA_AMX; }

/* sysconf() is slow on a virtual machine, so its result is kept. Threads that call it at the same
 * time store the same value. */
static _Atomic long cache_bytes;

int64_t few__cpu_cache(void) {
  long bytes = cache_bytes;
  if (bytes) return bytes;
#if defined(_SC_LEVEL2_CACHE_SIZE)
  bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
#endif
  if (bytes <= 0) bytes = 1 << 20;
  if (bytes < 1 << 18) bytes = 1 << 18;
  if (bytes > 1 << 23) bytes = 1 << 23;
  cache_bytes = bytes;
  return bytes;
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
