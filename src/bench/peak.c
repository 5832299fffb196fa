/* peak.c - the machine's own limit: a loop of independent fused multiply-adds in registers.
 *
 * Twelve chains hide the latency of two pipes. The loop is written with the compiler's vectors and
 * compiled once an instruction set; the best that runs here is the peak.
 */
#include "few/bench.h"

#include "base/workers.h"

enum { CHAINS = 12, TURNS = 1 << 16, BLOCKS = 48 };

#define LOOP(name, W, attribute)                                   \
  typedef float vector_##name __attribute__((vector_size(W * 4))); \
  attribute static double name(float seed) {                       \
    vector_##name a[CHAINS], x = {0}, y = {0};                     \
    for (int i = 0; i < W; i++) {                                  \
      x[i] = seed;                                                 \
      y[i] = 1e-9f;                                                \
    }                                                              \
    for (int k = 0; k < CHAINS; k++) a[k] = x;                     \
    for (int n = 0; n < TURNS; n++)                                \
      for (int k = 0; k < CHAINS; k++) a[k] = a[k] * x + y;        \
    double sum = 0;                                                \
    for (int k = 0; k < CHAINS; k++)                               \
      for (int i = 0; i < W; i++) sum += (double)a[k][i];          \
    return sum;                                                    \
  }

#if defined(__x86_64__)
LOOP(wide, 16, __attribute__((target("avx512f,fma"), optimize("O3", "fp-contract=fast"))))
LOOP(half, 8, __attribute__((target("avx2,fma"), optimize("O3", "fp-contract=fast"))))
#endif
LOOP(base, 4, )

struct flavour {
  double (*loop)(float seed);
  double flop; /* of one call */
};

static struct flavour pick(void) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) return (struct flavour){wide, 2.0 * CHAINS * TURNS * 16};
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

few_status few_bench_peak(few_ctx *ctx, int workers, double *gflops) {
  few_workers *w;
  struct race r = {.f = pick()};
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
