/* kernel_bench.h - time one kernel of the CPU backend on one thread, per instruction set.
 *
 * Rates are the best of many short runs, in this thread's own processor time: on a shared machine
 * the fastest is the least disturbed.
 * The limit beside them is what a loop of independent multiply-adds reaches, measured here too.
 */
#ifndef FEW_KERNEL_BENCH_H
#define FEW_KERNEL_BENCH_H

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "engine/backend/backend.h"
#include "engine/backend/cpu/isa.h"

static inline double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static inline int64_t count_of(struct few_shape s) {
  int64_t n = 1;
  for (int i = 0; i < s.rank; i++) n *= s.dim[i];
  return n;
}

static inline void *floats(int64_t n) {
  float *x = aligned_alloc(64, ((size_t)n * sizeof(float) + 127) / 64 * 64);
  if (!x) exit(1);
  for (int64_t i = 0; i < n; i++) x[i] = (float)(i * 7919 % 1024) / 512 - 1;
  return x;
}

/* Best time of a call over about `budget` seconds. */
static inline double time_kernel(struct few_kernel k, struct few_call *c, double budget) {
  float *out = floats(count_of(c->shape));
  void *in[2], *scratch = floats(k.scratch ? (int64_t)(k.scratch(c) / sizeof(float)) : 0);
  for (int i = 0; i < 2; i++) c->in[i].data = in[i] = floats(count_of(c->in[i].shape));
  c->out = out;
  c->scratch = scratch;
  double best = 1e9;
  k.run(c);
  for (double t0 = seconds(), t = t0; t - t0 < budget;) {
    k.run(c);
    const double now = seconds();
    if (now - t < best) best = now - t;
    t = now;
  }
  free(out);
  free(scratch);
  free(in[0]);
  free(in[1]);
  return best;
}

typedef float few_v16 __attribute__((vector_size(64)));
typedef float few_v8 __attribute__((vector_size(32)));
typedef float few_v4 __attribute__((vector_size(16)));

/* Twelve chains of multiply-adds: more than latency x width of any processor so far. */
#define FMA_LOOP(name, vector, isa)                                                   \
  isa static inline double name(void) {                                               \
    vector a0 = {0}, a1 = a0, a2 = a0, a3 = a0, a4 = a0, a5 = a0, m = a0 + .999f;     \
    vector b0 = {0}, b1 = a0, b2 = a0, b3 = a0, b4 = a0, b5 = a0, p = a0 + .001f;     \
    double best = 1e9;                                                                \
    for (int r = 0; r < 300; r++) {                                                   \
      const double t = seconds();                                                     \
      for (int k = 0; k < 20000; k++) {                                               \
        a0 = a0 * m + p, a1 = a1 * m + p, a2 = a2 * m + p, a3 = a3 * m + p;           \
        a4 = a4 * m + p, a5 = a5 * m + p, b0 = b0 * m + p, b1 = b1 * m + p;           \
        b2 = b2 * m + p, b3 = b3 * m + p, b4 = b4 * m + p, b5 = b5 * m + p;           \
        KEEP(a0, a1, a2, a3, a4, a5);                                                 \
        KEEP(b0, b1, b2, b3, b4, b5);                                                 \
      }                                                                               \
      const double took = seconds() - t;                                              \
      best = took < best ? took : best;                                               \
    }                                                                                 \
    return 20000.0 * 12 * 2 * (double)(sizeof(vector) / sizeof(float)) / best * 1e-9; \
  }
#if defined(__x86_64__)
#define KEEP(a, b, c, d, e, f) \
  __asm__ volatile("" : "+x"(a), "+x"(b), "+x"(c), "+x"(d), "+x"(e), "+x"(f))
FMA_LOOP(fma_avx2, few_v8, __attribute__((target("avx2,fma"))))
#undef KEEP
#define KEEP(a, b, c, d, e, f) \
  __asm__ volatile("" : "+v"(a), "+v"(b), "+v"(c), "+v"(d), "+v"(e), "+v"(f))
FMA_LOOP(fma_avx512, few_v16, __attribute__((target("avx512f,fma"))))
#undef KEEP
#define KEEP(a, b, c, d, e, f) \
  __asm__ volatile("" : "+x"(a), "+x"(b), "+x"(c), "+x"(d), "+x"(e), "+x"(f))
#else
#define KEEP(a, b, c, d, e, f) \
  __asm__ volatile("" : "+w"(a), "+w"(b), "+w"(c), "+w"(d), "+w"(e), "+w"(f))
#endif
FMA_LOOP(fma_base, few_v4, )

/* GF/s of one thread. */
static inline double fma_limit(few_isa isa) {
#if defined(__x86_64__)
  if (isa == FEW_ISA_AVX2) return fma_avx2();
  if (isa == FEW_ISA_AVX512) return fma_avx512();
#endif
  (void)isa;
  return fma_base();
}

#endif
