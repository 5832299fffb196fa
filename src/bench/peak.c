/* peak.c - measures the limit of the processor by a loop of independent fused multiply-adds in
 * registers.
 *
 * Twelve chains hide the latency of two pipelines. Each chain is a separate variable, so that every
 * compiler keeps it in a register. The loop is compiled once per instruction set, and the best set
 * that runs here gives the peak.
 */
#include "few/bench.h"

#include "base/workers.h"

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

enum { CHAINS = 12, TURNS = 1 << 16, BLOCKS = 48 };

#define EACH(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
#define CHAIN(k) \
  vector a##k = x + (float)(k); /* different, or a compiler would compute one chain */
#define TURN(k) a##k = FMA(a##k, x, y);
#define TOTAL(k) sum += a##k;

/* Each iteration is a = seed a + 1e-9. The sum at the end keeps compilers from removing the
 * loop. */
#define LOOP(name, W, attribute)                                  \
  attribute static double name(float seed) {                      \
    typedef float vector __attribute__((vector_size((W)*4)));     \
    const vector x = seed - (vector){0}, y = 1e-9f - (vector){0}; \
    EACH(CHAIN)                                                   \
    for (int n = 0; n < TURNS; n++) {                             \
      EACH(TURN)                                                  \
    }                                                             \
    vector sum = {0};                                             \
    EACH(TOTAL)                                                   \
    double total = 0;                                             \
    for (int i = 0; i < (W); i++) total += (double)sum[i];        \
    return total;                                                 \
  }

#if defined(__x86_64__)
#define FMA _mm512_fmadd_ps
LOOP(wide, 16, __attribute__((target("avx512f,fma"))))
#undef FMA
#define FMA _mm256_fmadd_ps
LOOP(half, 8, __attribute__((target("avx2,fma"))))
#undef FMA
#endif
#if defined(__ARM_NEON) && defined(__ARM_FEATURE_FMA)
#define FMA(a, x, y) vfmaq_f32(y, a, x)
#else
#define FMA(a, x, y) ((a) * (x) + (y)) /* two instructions if there is no fused one */
#endif
LOOP(base, 4, )

struct flavour {
  double (*loop)(float seed);
  double flop; /* floating-point operations of one call */
};

static struct flavour pick(void) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("fma"))
    return (struct flavour){wide, 2.0 * CHAINS * TURNS * 16};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return (struct flavour){half, 2.0 * CHAINS * TURNS * 8};
#endif
  return (struct flavour){base, 2.0 * CHAINS * TURNS * 4};
}

struct race {
  struct flavour f;
  double sum[BLOCKS];
};

static void lap(void *user, int64_t i, int worker) {
  struct race *r = user;
  FEW_UNUSED(worker);
  r->sum[i] = r->f.loop(0.999f);
}

few_status few_bench_peak(double *gflops, few_ctx *ctx, int workers) {
  few_workers *w;
  struct race r = {.f = pick()};
  *gflops = 0;
  FEW_TRY(few__opts_range(ctx, "bench: workers", workers, 0, INT32_MAX));
  FEW_TRY(few__workers_create(ctx, &w, workers > 0 ? workers : few_ctx_workers(ctx)));
  double best = 0;
  for (int k = 0; k < 40; k++) {
    double start = few__now();
    few__workers_run(w, BLOCKS, lap, &r);
    double rate = r.f.flop * BLOCKS / (few__now() - start) / 1e9;
    if (rate > best) best = rate;
  }
  few__workers_free(w);
  *gflops = best;
  return FEW_OK;
}
