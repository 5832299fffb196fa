/* backend.h - a backend: a table of kernels that execute nodes, and the device that they run on.
 *
 * A kernel computes one node from its operands. It allocates nothing, keeps no state, and may be
 * called from several threads at once on different data. Everything it needs is in struct
 * few_call. Tensors are dense, row-major and 64-byte aligned unless a slice view says otherwise
 * (then at least aligned to the element).
 */
#ifndef FEW_SRC_BACKEND_H
#define FEW_SRC_BACKEND_H

#include "engine/graph/graph.h"
#include "few/backend.h"

typedef enum few_real { FEW_F32, FEW_F64 } few_real;
static inline size_t few__real_size(few_real r) { return r == FEW_F64 ? 8 : 4; }

/* The key of a replay's random numbers (base/rng.h); row0 is the global index of batch row 0. */
struct few_replay_key {
  uint64_t seed, step, row0;
};

/* A queue of a device, on which kernels are launched in order; NULL where kernels run on the host. */
struct few_queue;

struct few_operand {
  const void *data;
  struct few_shape shape;
  bool bf16; /* stored in bf16, in a call of f32 */
};

/* A straight-line pointwise program: instruction k applies `op` to registers in[] and its result is
 * register n_leaves + k. Registers 0..n_leaves-1 are the operands of the call, broadcast to the
 * call's shape. stores[] are the registers to write, to outs[]. Up to FEW_PROGRAM_NORMS
 * instructions may be norms or their tangents, of operands of the call's shape [N,..,C]. */
enum { FEW_PROGRAM_MAX = 48, FEW_PROGRAM_LEAVES = 16, FEW_PROGRAM_STORES = 8 };
enum { FEW_PROGRAM_NORMS = 4 };
struct few_program {
  int n_leaves, n_code, n_stores;
  struct few_instruction {
    few_op op;
    int16_t in[3];
    union few_attr attr;
  } code[FEW_PROGRAM_MAX];
  int16_t store[FEW_PROGRAM_STORES];
};

struct few_call {
  const struct few_node_data *node; /* op and attributes; NULL for a fused program */
  struct few_shape shape;           /* of the result(s) */
  int n_in;
  struct few_operand in[FEW_PROGRAM_LEAVES];
  void *out; /* the result; for pointwise kernels may be the memory of an operand
                                     of equal shape, stored alike, otherwise overlaps nothing */
  void *outs[FEW_PROGRAM_STORES]; /* of a fused program: one per store */
  bool bf16[FEW_PROGRAM_STORES];  /* results to be stored in bf16; [0] is that of `out` */
  const struct few_program *program;
  bool direct; /* no algorithm that trades accuracy for speed: no Winograd */
  few_precision precision;
  const void *packed; /* operand 1 as the kernel's pack() left it; NULL: use in[1] */
  void *scratch;      /* as many bytes as the kernel's scratch() returned */
  struct few_replay_key key;
  struct few_queue *queue; /* of a device: run only enqueues, and reads the key from the queue */
};

struct few_kernel {
  void (*run)(const struct few_call *call);
  /* Bytes of scratch this call needs (shapes and attributes are filled in, data is not). NULL: 0.
   */
  size_t (*scratch)(const struct few_call *call);
  /* Of kernels that copy operand 1 into another form before they use it: the bytes of that form, 0 where
   * it does not pay to keep it, and the copy. Parameters are packed once for all calls with the same
   * values. NULL: the kernel has no such form. */
  size_t (*packed)(const struct few_call *call);
  void (*pack)(const struct few_call *call, void *to);
};

/* A run of kernels that was captured once and is launched as a whole from then on. */
struct few_captured_graph;

/* Passes over long float arrays in the memory of a device, for what training does outside of plans
 * (train/arrays.h). They run in order with the kernels, and add in a fixed order. */
enum { FEW_DOT_PARTS = 1024 };
/* The scalars of one step of Adam's family, rounded once from f64. */
struct few_moments_coef {
  float grad_scale;      /* the gradient is multiplied by this first (clipping) */
  float beta1, fresh1;   /* m = beta1 m + fresh1 g */
  float beta2, fresh2;   /* v = beta2 v + fresh2 g^2 */
  float keep;            /* p = keep p - rate * ... */
  float rate;            /* the learning rate with every correction in it */
  float root_scale, eps; /* the divisor: root_scale sqrt(v) + eps */
  bool adaptive;         /* false: no divisor (radam's first steps) */
};
/* That step on n parameters, and in the same pass the average of the first n_average of them,
 * average = beta average + (1 - beta) param. All arrays are the device's. */
struct few_moments {
  struct few_moments_coef coef;
  int64_t n;
  float *param;
  const float *grad;
  float *m, *v;
  float *average; /* NULL: none */
  int64_t n_average;
  double beta;
};
struct few_vectors {
  void (*zero)(struct few_queue *q, float *x, int64_t n);
  void (*copy)(struct few_queue *q, float *to, const float *from, int64_t n);
  void (*add)(struct few_queue *q, float *to, const float *from, int64_t n); /* to += from */
  void (*scale)(struct few_queue *q, float *x, float by, int64_t n);
  /* Sums of part[FEW_DOT_PARTS], in the device's memory, that make up the inner product. */
  void (*dot)(struct few_queue *q, double *part, const float *a, const float *b, int64_t n);
  /* x[i] = sum of factor[k] x[k step + i], k < n_rows <= 8; factor is the host's. */
  void (*combine)(struct few_queue *q, float *x, int64_t n, int64_t step, int n_rows,
                  const double *factor);
  void (*moments)(struct few_queue *q, const struct few_moments *step);
  /* to += fresh (from - to) */
  void (*follow)(struct few_queue *q, float *to, const float *from, float fresh, int64_t n);
};

/* A device with memory of its own, which only kernels reach. Calls on one queue come from one thread
 * at a time. Errors stick to the queue: `finish` returns the first. */
struct few_device {
  const char *(*open)(struct few_queue **out); /* NULL, or why not */
  void (*close)(struct few_queue *q);          /* NULL is fine */
  void (*name)(struct few_queue *q, char *out, size_t size);
  void *(*alloc)(struct few_queue *q, size_t bytes); /* 256-byte aligned; NULL: out of memory */
  void (*free)(struct few_queue *q, void *at);       /* NULL is fine */
  /* Memory of the host from which `put` returns at once: do not change it until a wait. */
  void *(*alloc_host)(struct few_queue *q, size_t bytes);
  void (*free_host)(struct few_queue *q, void *at); /* NULL is fine */
  /* In order with the kernels. put may wait for them, and `from` may be reused at once unless it is
   * memory of alloc_host. get always waits; with 0 bytes it only waits. */
  void (*put)(struct few_queue *q, void *to, const void *from, size_t bytes);
  void (*get)(struct few_queue *q, void *to, const void *from, size_t bytes);
  void (*set_key)(struct few_queue *q, const struct few_replay_key *key);
  /* Kernels between begin and end are captured and do not run. */
  void (*capture_begin)(struct few_queue *q);
  struct few_captured_graph *(*capture_end)(struct few_queue *q);
  void (*launch)(struct few_queue *q, struct few_captured_graph *r);
  void (*captured_graph_free)(struct few_captured_graph *r); /* NULL is fine */
  const char *(*finish)(
      struct few_queue *q); /* waits; NULL, or the first error since the last call */
  const struct few_vectors *vector;
};

struct few_backend {
  const char *name;                /* "ref", "cpu" */
  const char *help;                /* one line */
  const char *missing;             /* NULL, or why there are no kernels: what to install */
  const struct few_device *device; /* NULL: the host */
  /* kernel[real][op]; run == NULL: this backend does not have it, which planning reports. Sources
   * other than RANDN and RANDU, and views, have none. */
  struct few_kernel kernel[2][FEW_OP_COUNT];
  /* Runs a fused pointwise program; run == NULL: the planner does not fuse for this backend. */
  struct few_kernel fused[2];
  bool precision[FEW_BF16 + 1]; /* supports that one, beside FEW_FP32 */
  const char *bf16_only_stored; /* NULL, or why FEW_BF16 gains no speed: a warning */
  bool bf16[FEW_OP_COUNT + 1];  /* kernels of f32 that take operands in bf16, and give results so;
                                    the last: fused programs */
  bool fuses_norms
      [2]; /* a program may contain norms of images, which have several positions per row */
};

/* The backend of that name, or NULL; and backends 0, 1, ... of backends.def, NULL past the last. */
const struct few_backend *few__backend_find(const char *name);
const struct few_backend *few__backend_at(int i);

/* The backend of that name. FEW_E_INVALID for an unknown name, with the known ones in the sentence;
 * FEW_E_UNSUPPORTED for one that is missing here. */
few_status few__backend_choose(few_ctx *ctx, const struct few_backend **out, const char *name);
/* FEW_E_UNSUPPORTED for a precision that the backend lacks; a warning for one that gains no speed. */
few_status few__backend_check_precision(few_ctx *ctx, const struct few_backend *b,
                                        few_precision precision);
/* Open a queue of the backend's device. FEW_E_UNSUPPORTED, with the reason, where that fails. */
few_status few__backend_open(few_ctx *ctx, const struct few_backend *b, struct few_queue **out);
/* The backend of the context: the chosen one, or cpu. few__backend_host never returns one with a
 * device: cpu in its place. */
const struct few_backend *few__backend_of(const few_ctx *ctx);
const struct few_backend *few__backend_host(const few_ctx *ctx);

/* Plain loops for every op, f32 and f64: the definition. */
const struct few_backend *few__backend_ref(void);
/* The fastest kernels that this processor runs, and those of ref for ops without a faster one. */
const struct few_backend *few__backend_cpu(void);
/* NVIDIA GPUs, or a table without kernels whose `missing` is the reason. */
const struct few_backend *few__backend_cuda(void);
/* The instruction set of cpu: "base", "avx2", "avx512". The environment variable FEW_CPU_ISA may name
 * a lesser one. */
const char *few__backend_cpu_set(void);

#endif
