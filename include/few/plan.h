/* few/plan.h - run a graph of few/graph.h.
 *
 * A plan is a graph prepared for running: its ops are ordered, neighbouring ops are fused, and
 * intermediate values have offsets in one block of memory, the arena. It computes named outputs
 * from named inputs and parameters. An executor runs a plan on the caller's arrays:
 *
 *     const struct few_plan_binding arrays[] = {{"x", x, NULL}, {"y", NULL, out}};
 *     few_plan_create(&plan, graph, 1, (struct few_plan_output[]){{"y", y}}, NULL);
 *     few_executor_create(&executor, ctx, plan);
 *     few_executor_bind(executor, 2, arrays);
 *     few_executor_run(executor, NULL);
 *
 * A run allocates nothing, so make an executor once and run it often. For a plan that runs once,
 * few_plan_run does the last three calls in one. The results are the same bits for any number of
 * workers. They differ between backends, because these add in different orders.
 *
 * Threads: a plan never changes, so any number of threads may use one, each with a context and an
 * executor of its own. An executor serves one thread at a time.
 */
#ifndef FEW_PLAN_H
#define FEW_PLAN_H

#include "few/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct few_plan few_plan;
typedef struct few_executor few_executor;

/* ---- Plans ---- */

struct few_plan_opts {
  int version;         /* FEW_PLAN_OPTS_VERSION */
  const char *backend; /* "ref", "cpu" ...; NULL: the backend of the graph's context */
  bool f64;            /* compute in double: backend "ref" only. All real arrays are then double. */
};
#define FEW_PLAN_OPTS_VERSION 1
#define FEW_PLAN_OPTS_INIT \
  { FEW_PLAN_OPTS_VERSION, NULL, false }

struct few_plan_output {
  const char *name; /* copied; all names of outputs differ */
  few_node node;
};

/* Makes a plan that computes outputs[0 .. n-1], n >= 1. For training, list the loss first: what
 * outputs[0] needs, tangents included, is ordered layer by layer, and everything else counts as the
 * backward pass. opts NULL: defaults. The plan belongs to the graph's context, which must outlive
 * it. The graph may be freed after the call.
 *
 * FEW_E_INVALID for a graph that has failed, a missing or repeated name, or an output that is a
 * node of another graph or holds labels; FEW_E_UNSUPPORTED if the backend lacks an op;
 * FEW_E_MEMORY. *out is then NULL. */
FEW_API FEW_MUST_USE few_status few_plan_create(few_plan **out, const few_graph *g, int n,
                                                const struct few_plan_output *outputs,
                                                const struct few_plan_opts *opts);
FEW_API void few_plan_free(few_plan *plan); /* free its executors first; NULL is allowed */

/* An array that an executor of this plan needs. Arrays are dense and row-major: float (double with
 * f64), or int32_t for labels. */
enum few_plan_array_kind { FEW_PLAN_INPUT, FEW_PLAN_PARAM, FEW_PLAN_OUTPUT };
struct few_plan_array {
  const char *name; /* lives as long as the plan */
  enum few_plan_array_kind kind;
  few_dtype type;
  struct few_shape shape;
};
/* Array i of 0 .. count-1: inputs and parameters that the outputs depend on, then the outputs.
 * `size` is sizeof *out. False for any other i. */
FEW_API int few_plan_array_count(const few_plan *plan);
FEW_API bool few_plan_array_at(struct few_plan_array *out, size_t size, const few_plan *plan,
                               int i);

/* The cost of one run. */
struct few_plan_cost {
  int instructions, fused, nodes; /* kernels called; how many are fused; graph nodes they compute */
  double flops; /* of matrix products, convolutions and attention; a multiply-add counts as 2 */
  size_t arena_bytes;   /* memory that each executor allocates, scratch included */
  size_t scratch_bytes; /* the part of arena_bytes that kernels use as scratch memory */
  size_t param_bytes;   /* of the caller's parameters */
  size_t packed_bytes;  /* of the copies of parameters packed for matrix units, which all executors
                           share */
};
/* `size` is sizeof *out. */
FEW_API void few_plan_get_cost(struct few_plan_cost *out, size_t size, const few_plan *plan);

/* ---- Executors ---- */

/* Makes an executor. The plan is borrowed. The executor records its errors in ctx and uses its
 * allocator; ctx need not be the context of the plan. FEW_E_MEMORY; FEW_E_UNSUPPORTED if the plan's
 * device cannot be opened. *out is then NULL. */
FEW_API FEW_MUST_USE few_status few_executor_create(few_executor **out, few_ctx *ctx,
                                                    const few_plan *plan);
FEW_API void few_executor_free(few_executor *e); /* NULL is fine */

/* Binds the array `data` to a name. From now on every run reads the input or parameter from this
 * array, or writes the output to it. The array is borrowed until another one is bound to the name.
 * It must be aligned for its element type, and an output must not overlap another array.
 * FEW_E_INVALID for a name that the plan does not have, and for data NULL. */
FEW_API FEW_MUST_USE few_status few_executor_bind_input(few_executor *e, const char *name,
                                                        const void *data);
FEW_API FEW_MUST_USE few_status few_executor_bind_output(few_executor *e, const char *name,
                                                         void *data);

/* The array of one name: `in` of an input or parameter, `out` of an output; the other is NULL. */
struct few_plan_binding {
  const char *name;
  const void *in;
  void *out;
};
/* Binds n arrays. If an array is refused, those before it stay bound. */
FEW_API FEW_MUST_USE few_status few_executor_bind(few_executor *e, int n,
                                                  const struct few_plan_binding *arrays);

/* The seed, step and rows of random numbers. A number of few_randn or few_randu depends only on the
 * seed, the step, the purpose, the row and the element. Row r of the batch is row row0 + r. */
struct few_run_opts {
  int version; /* FEW_RUN_OPTS_VERSION */
  uint64_t seed, step, row0;
  uint64_t row_step; /* few_executor_run_all: executor i starts at row0 + i row_step */
};
#define FEW_RUN_OPTS_VERSION 1
#define FEW_RUN_OPTS_INIT \
  { FEW_RUN_OPTS_VERSION, 0, 0, 0, 0 }

/* Runs the plan once and waits until it has finished. opts NULL: defaults. FEW_E_INVALID if an
 * array is not bound; the message names it. FEW_E_IO if the device failed. After an error the
 * contents of outputs are undefined. */
FEW_API FEW_MUST_USE few_status few_executor_run(few_executor *e, const struct few_run_opts *opts);

/* Runs a plan once: makes an executor in ctx, binds n arrays, runs it and frees it. The errors are
 * those of these calls. */
FEW_API FEW_MUST_USE few_status few_plan_run(few_ctx *ctx, const few_plan *plan, int n,
                                             const struct few_plan_binding *arrays,
                                             const struct few_run_opts *opts);

/* Runs n executors of one context in parallel, each on one worker of ctx, and waits. They may share
 * inputs and parameters; each has outputs of its own. A batch is divided into shards in this way:
 * one executor per shard, and the caller adds up their gradients. Errors as for
 * few_executor_run. */
FEW_API FEW_MUST_USE few_status few_executor_run_all(few_ctx *ctx, int n,
                                                     few_executor *const *executors,
                                                     const struct few_run_opts *opts);

#ifdef __cplusplus
}
#endif
#endif
