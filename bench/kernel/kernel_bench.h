/* kernel_bench.h - times a kernel of the CPU backend on one thread, per instruction set.
 *
 * Rates are the best of many short runs, in processor time of this thread: on a shared machine the
 * fastest run is the least disturbed. The peak printed beside them is that of few bench.
 */
#ifndef FEW_KERNEL_BENCH_H
#define FEW_KERNEL_BENCH_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/backend/backend.h"
#include "engine/backend/cpu/isa.h"
#include "few/bench.h"

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

/* Converts n floats to bf16, in place, by cutting off the low bits. */
static inline void narrow(void *x, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    uint32_t bits;
    memcpy(&bits, (const float *)x + i, sizeof bits);
    ((uint16_t *)x)[i] = (uint16_t)(bits >> 16);
  }
}

/* The best time of a call, repeated for about `budget` seconds. */
static inline double time_kernel(struct few_kernel k, struct few_call *c, double budget) {
  float *out = floats(count_of(c->shape));
  void *in[2], *scratch = floats(k.scratch ? (int64_t)(k.scratch(c) / sizeof(float)) : 0);
  for (int i = 0; i < 2; i++) {
    c->in[i].data = in[i] = floats(count_of(c->in[i].shape));
    if (c->in[i].bf16) narrow(in[i], count_of(c->in[i].shape));
  }
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

/* The peak of one thread with f32 multiply-adds, in GF/s. */
static inline double peak_of_thread(void) {
  few_ctx *ctx;
  double gflops = 0;
  if (few_ctx_create(&ctx, NULL) || few_bench_peak(&gflops, ctx, 1)) exit(1);
  few_ctx_free(ctx);
  return gflops;
}

#endif
