/* backend.h - a backend: a table of kernels that execute nodes, and the device that they run on.
 *
 * A kernel computes one node from its operands. It allocates nothing, keeps no state, and may be
 * called from several threads at once on different data. Everything it needs is in struct
 * few_call. Tensors are dense, row-major and 64-byte aligned. Only slice views may be
 * aligned to an element only.
 */
#ifndef FEW_SRC_BACKEND_H
#define FEW_SRC_BACKEND_H

#include "engine/graph/graph.h"
#include "few/backend.h"

typedef enum few_real { FEW_F32, FEW_F64 } few_real;
static inline size_t few__real_size(few_real r) { return r == FEW_F64 ? 8 : 4; }

/* The key of a replay's random numbers (base/rng.h). row0 is the global index of batch row 0. */
struct few_replay_key {
  uint64_t seed, step, row0;
};

/* A queue of a device, on which kernels are launched in order; NULL where kernels run on the
 * host. */
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
  /* Bytes of scratch that the call needs. Shapes and attributes are set, data are not. NULL: 0. */
  size_t (*scratch)(const struct few_call *call);
  /* For kernels that first copy operand 1 into another form: the size of that form in bytes, or 0
   * if keeping it is not worthwhile; and the function that makes it. Parameters are packed once for
   * all calls with the same values. NULL: the kernel has no such form. */
  size_t (*packed)(const struct few_call *call);
  void (*pack)(const struct few_call *call, void *to);
};

/* A run of kernels that was captured once and is launched as a whole from then on. */
struct few_captured_graph;

/* Passes over long float arrays in device memory, for what training does outside of plans
 * (train/arrays.h). They run in order with the kernels, and sums are taken in a fixed order. */
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
/* Such a step on n parameters. The same pass updates the average of the first n_average of them,
 * average = beta average + (1 - beta) param. All arrays are in device memory. */
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
  /* Writes part[FEW_DOT_PARTS], in device memory. The sum of the parts is the inner product. */
  void (*dot)(struct few_queue *q, double *part, const float *a, const float *b, int64_t n);
  /* x[i] = sum of factor[k] x[k step + i] over k < n_rows <= 8; factor is in host memory. */
  void (*combine)(struct few_queue *q, float *x, int64_t n, int64_t step, int n_rows,
                  const double *factor);
  void (*moments)(struct few_queue *q, const struct few_moments *step);
  /* to += fresh (from - to) */
  void (*follow)(struct few_queue *q, float *to, const float *from, float fresh, int64_t n);
};

/* A device with memory of its own, which only kernels can access. Calls on one queue must come from
 * one thread at a time. A queue keeps its first error; `finish` returns it. */
struct few_device {
  const char *(*open)(struct few_queue **out); /* NULL, or why not */
  void (*close)(struct few_queue *q);          /* NULL is fine */
  void (*name)(struct few_queue *q, char *out, size_t size);
  void *(*alloc)(struct few_queue *q, size_t bytes); /* 256-byte aligned; NULL: out of memory */
  void (*free)(struct few_queue *q, void *at);       /* NULL is fine */
  /* Host memory from which `put` copies without waiting. Do not change it until a wait. */
  void *(*alloc_host)(struct few_queue *q, size_t bytes);
  void (*free_host)(struct few_queue *q, void *at); /* NULL is fine */
  /* Copies, in order with the kernels. put may wait for them; `from` may be changed at once unless
   * it is memory of alloc_host. get always waits; with 0 bytes it only waits. */
  void (*put)(struct few_queue *q, void *to, const void *from, size_t bytes);
  void (*get)(struct few_queue *q, void *to, const void *from, size_t bytes);
  void (*set_key)(struct few_queue *q, const struct few_replay_key *key);
  /* Kernels between begin and end are captured and do not run. */
  void (*capture_begin)(struct few_queue *q);
  struct few_captured_graph *(*capture_end)(struct few_queue *q);
  void (*launch)(struct few_queue *q, struct few_captured_graph *r);
  void (*captured_graph_free)(struct few_captured_graph *r); /* NULL is fine */
  /* Waits. Returns NULL, or the first error since the last call. */
  const char *(*finish)(struct few_queue *q);
  const struct few_vectors *vector;
};

struct few_backend {
  const char *name;                /* "ref", "cpu" */
  const char *help;                /* one line */
  const char *missing;             /* NULL, or why there are no kernels, and what to install */
  const struct few_device *device; /* NULL: the host */
  /* kernel[real][op]. run is NULL if this backend has no kernel; planning reports that. Views, and
   * sources other than RANDN and RANDU, need none. */
  struct few_kernel kernel[2][FEW_OP_COUNT];
  /* Runs a fused pointwise program. If run is NULL, the planner does not fuse for this backend. */
  struct few_kernel fused[2];
  /* Which precisions are supported besides FEW_FP32. */
  bool precision[FEW_BF16 + 1];
  const char *bf16_only_stored; /* NULL, or why FEW_BF16 is not faster here: a warning */
  /* f32 kernels that may have operands and results in bf16. The last element is for fused
   * programs. */
  bool bf16[FEW_OP_COUNT + 1];
  /* A program may contain norms of images, which have several positions per row. */
  bool fuses_norms[2];
};

/* The backend of that name, or NULL. few__backend_at() is backend i of backends.def, or NULL. */
const struct few_backend *few__backend_find(const char *name);
const struct few_backend *few__backend_at(int i);

/* The backend of that name. FEW_E_INVALID for an unknown name, with a sentence that lists the known
 * ones; FEW_E_UNSUPPORTED for one that is not available here. */
few_status few__backend_choose(few_ctx *ctx, const struct few_backend **out, const char *name);
/* FEW_E_UNSUPPORTED for a precision that the backend lacks. It logs a warning for one that is not
 * faster here. */
few_status few__backend_check_precision(few_ctx *ctx, const struct few_backend *b,
                                        few_precision precision);
/* Opens a queue of the backend's device. FEW_E_UNSUPPORTED, with the reason, if that fails. */
few_status few__backend_open(few_ctx *ctx, const struct few_backend *b, struct few_queue **out);
/* few__backend_of() is the backend of the context: the chosen one, or cpu. few__backend_host() is
 * the same, except that it is cpu if the chosen one has a device. */
const struct few_backend *few__backend_of(const few_ctx *ctx);
const struct few_backend *few__backend_host(const few_ctx *ctx);

/* Plain loops that define every op, in f32 and f64. */
const struct few_backend *few__backend_ref(void);
/* The fastest kernels that this processor can run; those of ref for ops without a faster one. */
const struct few_backend *few__backend_cpu(void);
/* NVIDIA GPUs, or a table without kernels whose `missing` is the reason. */
const struct few_backend *few__backend_cuda(void);
/* The instruction set of the backend cpu: "base", "avx2" or "avx512". The environment variable
 * FEW_CPU_ISA may select a smaller one. */
const char *few__backend_cpu_set(void);

#endif
