/* plan.h - makes a plan of a graph: order, fusion, memory planning.
 *
 * A plan is immutable and may be replayed by many threads at once, each with an arena of its own.
 * Replaying allocates nothing. few/plan.h is the public interface.
 */
#ifndef FEW_SRC_PLAN_H
#define FEW_SRC_PLAN_H

#include "engine/backend/backend.h"
#include "few/plan.h"

struct few_planning_opts {
  const struct few_backend *backend;
  few_real real;
  bool no_fusion; /* one kernel per node, for comparison */
  bool direct;    /* convolutions by their definition, without Winograd */
  bool verify;    /* check the plan after each pass (verify.c): in tests; debug builds always do */
  few_precision precision; /* FEW_E_UNSUPPORTED if the backend lacks it */
};

/* Makes a plan that computes out[0..n_out). List the tangent, or the loss that depends on it,
 * first: what out[0] needs is ordered layer by layer. FEW_E_UNSUPPORTED names an op that the
 * backend lacks. The graph may be freed afterwards. */
few_status few__plan_create(few_ctx *ctx, few_plan **out_plan, const few_graph *g,
                            const struct few_planning_opts *opts, int n_out, const few_node *out);
void few__plan_free(few_plan *p); /* NULL is fine */

/* Inputs and params, which are bound by name before a replay. */
struct few_slot {
  const char *name;
  bool param;
  few_dtype type;
  struct few_shape shape;
};
int few__plan_slots(const few_plan *p);
const struct few_slot *few__plan_slot(const few_plan *p, int i);
int few__plan_find_slot(const few_plan *p, const char *name); /* -1: the plan does not read it */

size_t few__plan_arena(const few_plan *p); /* bytes; the arena is 64-byte aligned */

struct few_watch;
struct few_binding {
  const void *const *slots; /* one per slot */
  void *const *outs;        /* one per output: dense, of the shape of its node */
  struct few_replay_key key;
  double *seconds; /* NULL, or one per instruction, to which its time is added */
  uint64_t
      values; /* a number that stands for the values of all params: they are copied to a device, or
                      packed for kernels, only when it changes. 0: they may have changed */
  /* NULL, or checked between instructions on the host, for this worker (base/watch.h). If the job
   * is cancelled, the replay returns early and the contents of outputs are undefined. */
  struct few_watch *watch;
  int worker;
};
void few__plan_replay(const few_plan *p, void *arena, const struct few_binding *b);

struct few_plan_cost few__plan_cost(const few_plan *p);
/* Kernels of an op that are called; a member of a fused program counts as its own op. */
int few__plan_count_op(const few_plan *p, few_op op);

/* Instruction i of a plan, for a profile. */
struct few_plan_kernel {
  const char *name;    /* of its op, or "fused" */
  char text[112];      /* "conv [8,28,28,64] < [8,28,28,32] [64,3,3,32]": result and operands */
  double flops, bytes; /* operands and results, each touched once */
};
struct few_plan_kernel few__plan_kernel(const few_plan *p, int i);

#endif
