/* few/bench.h - the speed of few on this machine.
 *
 * Times whole steps of a network at a given size (training, sCD, sCT, one evaluation), and compares
 * them with the machine's own peak, which a loop of fused multiply-adds measures.
 */
#ifndef FEW_BENCH_H
#define FEW_BENCH_H

#include "few/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The share of one kernel in a step. */
struct few_bench_kernel {
  const char *op;   /* "conv", "fused", ... */
  const char *text; /* "conv [8,28,28,64] < [8,28,28,32] [64,3,3,32]": result and operands */
  int calls;        /* per step and shard */
  double seconds;   /* per step, summed over shards and workers */
  double gflop;     /* per step; convolutions are counted as direct ones */
  double gbyte;     /* per step; operands and results, each counted once */
};

struct few_bench_opts {
  int version;     /* FEW_BENCH_OPTS_VERSION */
  const char *net; /* "unet", "dit", "mlp" */
  int n_settings;  /* "key=value" of the network's options */
  const char *const *settings;
  int64_t h, w, c;
  int64_t batch, shards; /* rows of a step; shards must divide it */
  int workers;           /* 0: the context's */
  double seconds;        /* how long to repeat each case */
  const char *backend;   /* NULL: cpu */
  few_precision precision;
  /* If not NULL: called after a case, when its result is filled in, for each kernel of its plan,
   * most time first. Kernels of the same text are one. The texts are valid during the call. */
  void (*profile)(void *user, const struct few_bench_kernel *kernel);
  void *user;
};
#define FEW_BENCH_OPTS_VERSION 3 /* of struct few_bench_result too */
#define FEW_BENCH_OPTS_INIT \
  { FEW_BENCH_OPTS_VERSION, "unet", 0, NULL, 32, 32, 3, 64, 8, 0, 5.0, NULL, FEW_FP32, NULL, NULL }

enum few_bench_case {
  FEW_BENCH_INFER, /* the network once */
  FEW_BENCH_TRAIN, /* a step of diffusion training, optimizer and averages included */
  FEW_BENCH_JVP,   /* the network with its tangent */
  FEW_BENCH_SCD,   /* a step of consistency distillation */
  FEW_BENCH_SCT,   /* a step of consistency training */
  FEW_BENCH_CASES
};
struct few_bench_result {
  const char *name; /* "train"; static */
  double seconds;   /* of one step: median */
  double fastest;   /* seconds of the fastest step */
  int repeats;
  double images_per_second;
  double gflop; /* of one step, counted as direct convolution */
  double gflops_per_second;
  double share_of_peak; /* gflops_per_second / peak; Winograd convolutions may exceed 1 */
  size_t arena_bytes;   /* of all workers together, and of packed weights */
  double page_faults;   /* of the process, per step, after the first two steps */
};
/* Instruction set of the CPU kernels: "base", "avx2" or "avx512". It is the best that this
 * processor has, unless the environment variable FEW_CPU_ISA limits it. Static. */
FEW_API const char *few_cpu_isa(void);
/* The peak of `workers` threads together (0: the context's) in GFLOP/s; an fp32 multiply-add counts
 * 2. Takes about a second. */
FEW_API FEW_MUST_USE few_status few_bench_peak(double *gflops, few_ctx *ctx, int workers);
/* The limits of a device: GFLOP/s of a large product of f32 matrices with factors of that
 * precision, and GB/s of a copy in its memory, counting reads and writes. `size` is sizeof *out.
 * FEW_E_INVALID for a backend that has no device. */
struct few_bench_device {
  char name[128];
  double gflops, gbytes;
};
FEW_API FEW_MUST_USE few_status few_bench_device(struct few_bench_device *out, size_t size,
                                                 few_ctx *ctx, const char *backend,
                                                 few_precision precision);
/* Time one case. peak: in GFLOP/s, by few_bench_peak; 0: share_of_peak is 0. FEW_E_INVALID for
 * options outside their range. */
FEW_API FEW_MUST_USE few_status few_bench(struct few_bench_result *out, few_ctx *ctx,
                                          const struct few_bench_opts *opts,
                                          enum few_bench_case which, double peak);
#ifdef __cplusplus
}
#endif
#endif
