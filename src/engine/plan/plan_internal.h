/* plan_internal.h - the inside of a plan, and data for all passes of planning. The passes run in
 * this order: order.c, recompute.c, fuse.c, bf16.c, emit.c, memory.c.
 */
#ifndef FEW_SRC_PLAN_INTERNAL_H
#define FEW_SRC_PLAN_INTERNAL_H

#include "device_plan.h"
#include "engine/op/op.h"
#include "executor.h"

/* Where bytes live: a range of the arena, a bound slot, the constant pool, a bound output. */
enum where { IN_ARENA, IN_SLOT, IN_POOL, IN_OUTPUT };

struct storage {
  enum where where;
  int index;       /* of the slot or output */
  size_t bytes;    /* arena and pool */
  size_t offset;   /* in the arena or pool */
  int first, last; /* the instructions that touch it first and last */
  int shares;      /* the storage whose bytes it takes over, or -1 */
};

struct location { /* of a node's value */
  int storage;    /* -1: none (inside a fused group) */
  size_t offset;  /* bytes into the storage */
};

struct instruction {
  few_op op; /* FEW_OP_COUNT: a fused program */
  void (*run)(const struct few_call *call);
  struct few_call call; /* pointers are filled in at replay */
  struct few_node_data node;
  struct few_program *program;
  void (*pack)(const struct few_call *call, void *to); /* operand 1; NULL: it is not packed */
  size_t packed;                                       /* offset in the packed parameters */
  double flops;
  int n_out;
  struct location in[FEW_PROGRAM_LEAVES], out[FEW_PROGRAM_STORES];
};

struct few_plan {
  few_ctx *ctx;
  struct few_planning_opts opts;
  struct {
    struct few_slot *at;
    int n, cap;
  } slots;
  struct {
    struct storage *at;
    int n, cap;
  } storages;
  struct {
    struct instruction *at;
    int n, cap;
  } code;
  char *pool;
  size_t packed_bytes;
  struct few_packed *packed; /* NULL: no parameter is packed */
  int n_out;
  size_t *out_bytes;              /* [n_out] */
  struct few_plan_array *outputs; /* [n_out] of a plan of few_plan_create, with names; else NULL */
  size_t pool_bytes, arena_bytes, scratch_bytes;
  struct few_plan_cost cost;
  int op_count[FEW_OP_COUNT];
};

struct few_workers;
struct few_executor {
  few_ctx *ctx;
  int n;
  const few_plan **plan;
  void *arena; /* on the host: as large as the largest plan needs */
  const struct few_device *device;
  struct few_queue *queue;
  bool borrowed; /* the queue */
  few_device_plan **device_plan;
  /* public.c: the bindings of plan 0, the result of a run, the threads of few_executor_run_all. */
  const void **slots;
  void **outs;
  few_status status;
  struct few_workers *workers;
};

/* A step of the schedule: one node, or a group of nodes that are fused into one program. */
struct unit {
  int n, first; /* members: planning.members from there on */
};

/* packed.c: parameters in the form that their kernels use, packed once for all replays with the
 * same number few_binding.values. Replays at the same time have the same number. */
few_status few__packed_create(few_plan *plan);
void few__packed_free(few_ctx *ctx, struct few_packed *packed); /* NULL is fine */
/* Packs the parameters that are not packed yet, sharing the work with other threads that call this,
 * and waits until all are packed. NULL if the binding has no number. */
const char *few__packed_bring(const few_plan *plan, const struct few_binding *b);

/* Data that exist only during planning. */
struct planning {
  few_plan *plan;
  const few_graph *g;
  int n_out;
  const few_node *out;
  int n_order;
  few_node *order; /* live nodes, operands first */
  bool *live;
  few_node *root; /* the node that owns the bytes of a node's value: itself, or the one it views */
  size_t *view_offset; /* elements into the root */
  bool *late;          /* belongs to the backward pass */
  bool *recomputed;    /* late programs compute it a second time instead of reading it */
  bool *stored;        /* the value must exist in memory */
  bool *bf16;          /* of a root: it is stored in bf16 */
  bool *made;          /* an instruction that writes it has been emitted */
  struct {
    struct unit *at;
    int n, cap;
  } units;
  struct {
    few_node *at;
    int n, cap;
  } members;
  struct location *location;
};

/* replay.c: the arrays of p; not p->plan. */
void few__plan_planning_free(struct planning *p);
/* order.c: live nodes, views, the schedule. */
few_status few__plan_order(struct planning *p);
/* recompute.c: values that the backward pass computes a second time. */
few_status few__plan_recompute(struct planning *p);
/* fuse.c: the schedule as units. A recomputed node is a member of several. */
few_status few__plan_fuse(struct planning *p);
/* bf16.c: values that are stored in bf16. */
few_status few__plan_bf16(struct planning *p);
/* emit.c: units to instructions on storages. */
few_status few__plan_emit(struct planning *p);
/* memory.c: offsets of storages in the arena. */
few_status few__plan_memory(few_plan *plan);

/* verify.c: checks the plan after each pass: order, recompute, fuse, bf16, emit (programs and
 * code), memory. FEW_E_UNSUPPORTED, with a message that names the mistake, if the pass is wrong. */
few_status few__plan_verify_order(const struct planning *p);
few_status few__plan_verify_recompute(const struct planning *p);
few_status few__plan_verify_units(const struct planning *p);
few_status few__plan_verify_bf16(const struct planning *p);
few_status few__plan_verify_programs(const struct planning *p);
few_status few__plan_verify_code(const few_plan *plan);
few_status few__plan_verify_memory(const few_plan *plan);

static inline few_node few__plan_member(const struct planning *p, const struct unit *u, int m) {
  return p->members.at[u->first + m];
}

/* The memory of a replay, in addition to its binding. queue NULL: the host. */
struct few_run_memory {
  char *arena;
  const char *pool;
  struct few_queue *queue;
  const char *packed; /* NULL: not packed */
};
/* replay.c: where a value is, and the instructions, one after the other. */
char *few__plan_address(const few_plan *p, const struct few_run_memory *in,
                        const struct few_binding *b, struct location at);
void few__plan_run(const few_plan *p, const struct few_run_memory *at, const struct few_binding *b);

/* Whether v may be a member of a program of this plan's backend. */
bool few__plan_joins(const struct planning *p, few_node v);
/* The node behind stops: same value, same shape. */
few_node few__plan_canon(const few_graph *g, few_node n);
static inline bool few__plan_is_pointwise(const few_graph *g, few_node n) {
  return few__op_def(few__op(g, n))->flags & FEW_OP_POINTWISE;
}

#endif
