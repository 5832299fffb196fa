/* device.c - measures the limits of a device by a matrix product and a copy in its memory. The
 * sizes of both grow until they take long enough to be timed.
 */
#include "base/rng.h"
#include "engine/plan/executor.h"
#include "few/bench.h"
#include "train/arrays.h"

static const double enough = 5e-3; /* seconds */
enum { TURNS = 8, CHAIN = 4 };

static void wait(const struct few_arrays *s) { s->device->get(s->queue, NULL, NULL, 0); }

/* A chain of products, whose intermediate results are stored in the given precision. The factors
 * are parameters, which stay on the device between calls. Multiplied by an input that is one
 * number, they become activations. */
static few_status product_plan(const struct few_arrays *s, few_precision precision, int64_t n,
                               few_plan **out) {
  const struct few_planning_opts o = {
      .backend = s->backend, .real = FEW_F32, .precision = precision};
  few_graph *g;
  FEW_TRY(few_graph_create(&g, s->ctx));
  const struct few_shape side = FEW_SHAPE(1, n, n);
  const few_node by = few_broadcast(g, few_input(g, "by", FEW_REAL, FEW_SHAPE(1, 1, 1)), side);
  const few_node a = few_reshape(g, few_param(g, "a", FEW_SHAPE(n, n)), side);
  const few_node b = few_reshape(g, few_param(g, "b", FEW_SHAPE(n, n)), side);
  few_node y = few_mul(g, a, by), right = few_mul(g, b, by);
  for (int i = 0; i < CHAIN; i++) y = few_matmul(g, y, right, false, false);
  const few_status st = few__plan_create(s->ctx, out, g, &o, 1, &y);
  few_graph_free(g);
  return st;
}

static few_status time_product(const struct few_arrays *s, few_precision precision, int64_t n,
                               double *seconds) {
  few_plan *plan = NULL;
  few_executor *executor = NULL;
  float *x = NULL;
  few_status st;
  const struct few_rng r = {.purpose = FEW_RNG_CHECK};
  FEW_GOTO(product_plan(s, precision, n, &plan));
  FEW_GOTO(few__executor_create(s->ctx, &executor, 1, (const few_plan *[]){plan}, s->queue));
  FEW_GOTO(FEW_NEW(s->ctx, &x, n * n));
  few__rng_uniform_f32(&r, n * n, x);
  const float by = 1 / (float)n;
  const void *slots[3] = {x, x, x};
  slots[few__plan_find_slot(plan, "by")] = &by;
  const struct few_binding b = {.slots = slots, .values = 1};
  double start = 0;
  for (int i = -2; i < TURNS / CHAIN;
       i++) { /* the first run chooses algorithms, the second is captured */
    if (i == 0) {
      wait(s);
      start = few__now();
    }
    FEW_GOTO(few__device_plan_enqueue(few__executor_device_plan(executor, 0), &b));
  }
  wait(s);
  *seconds = (few__now() - start) / TURNS;
out:
  few__executor_free(executor);
  few__plan_free(plan);
  few__free(s->ctx, x);
  return st;
}

static few_status time_copy(const struct few_arrays *s, int64_t n, double *seconds) {
  assert(s->device && n > 0);
  float *from, *to = NULL;
  few_status st;
  FEW_TRY(few__arrays_new(s, &from, n));
  FEW_GOTO(few__arrays_new(s, &to, n));
  few__arrays_copy(s, to, from, n);
  wait(s);
  const double start = few__now();
  for (int i = 0; i < TURNS; i++) few__arrays_copy(s, to, from, n);
  wait(s);
  *seconds = (few__now() - start) / TURNS;
out:
  few__arrays_free(s, from);
  few__arrays_free(s, to);
  return st;
}

static few_status measure(const struct few_arrays *s, few_precision precision,
                          struct few_bench_device *out) {
  double seconds = 0;
  for (int64_t n = 256; n <= 8192 && seconds < enough; n *= 2) {
    FEW_TRY(time_product(s, precision, n, &seconds));
    out->gflops = 2e-9 * (double)n * (double)n * (double)n / seconds;
  }
  seconds = 0;
  for (int64_t n = 1 << 18; n <= 1 << 28 && seconds < enough; n *= 4) {
    FEW_TRY(time_copy(s, n, &seconds));
    out->gbytes = 2e-9 * (double)n * sizeof(float) / seconds;
  }
  return few__arrays_finish(s);
}

few_status few_bench_device(struct few_bench_device *out, size_t size, few_ctx *ctx,
                            const char *backend, few_precision precision) {
  const struct few_backend *b;
  struct few_arrays arrays;
  struct few_bench_device d = {{0}, 0, 0};
  memset(out, 0, size);
  FEW_TRY(few__opts_range(ctx, "bench: precision", (double)precision, 0, FEW_BF16));
  FEW_TRY(few__backend_choose(ctx, &b, backend));
  if (!b->device)
    return few__fail(ctx, FEW_E_INVALID,
                     "backend %s runs on the processor, which few_bench_peak measures", backend);
  few_status st = few__arrays_open(ctx, &arrays, NULL, b);
  if (!st) b->device->name(arrays.queue, d.name, sizeof d.name);
  if (!st) st = measure(&arrays, precision, &d);
  few__arrays_close(&arrays);
  few__give(out, size, &d, sizeof d);
  return st;
}
