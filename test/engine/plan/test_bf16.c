/* Plans in bf16 on the processor, on every instruction set. A small network, its tangent and its
 * gradient are near those in f64, and need less memory. Weights that are packed once give the same
 * bits as weights that are packed in every call. They are packed again when their number
 * (few_binding.values) changes. */
#include "testing.h"

#include "base/base.h"
#include "base/rng.h"
#include "base/workers.h"
#include "engine/backend/cpu/isa.h"
#include "engine/plan/plan.h"

enum { N = 2, SIDE = 6, C = 16, WIDE = 40, OUTS = 6, SLOTS = 8, ROOM = 4096 };

/* A network of a convolution, a norm, a second convolution and two products. Outputs are the
 * tangent of its result, the mean square of the result, and the gradients of that mean square. */
static void build(few_ctx *ctx, few_graph *g, few_node out[OUTS]) {
  const few_node x = few_input(g, "x", FEW_REAL, FEW_SHAPE(N, SIDE, SIDE, 3));
  const few_node d = few_input(g, "d", FEW_REAL, FEW_SHAPE(N, SIDE, SIDE, 3));
  const few_node w[4] = {
      few_param(g, "in", FEW_SHAPE(3, 3, 3, C)), few_param(g, "middle", FEW_SHAPE(3, 3, C, C)),
      few_param(g, "wide", FEW_SHAPE(C, WIDE)), few_param(g, "out", FEW_SHAPE(WIDE, 3))};
  few_node h = few_silu(g, few_norm(g, few_conv(g, x, w[0], 1, 1), 4, true, 1e-5));
  h = few_silu(g, few_matmul(g, few_conv(g, h, w[1], 1, 1), w[2], false, false));
  const few_node y = few_matmul(g, h, w[3], false, false);
  assert_ok(ctx, few_jvp(&out[0], g, 1, &y, 1, &x, &d));
  out[1] = few_mean_all(g, few_square(g, y));
  assert_ok(ctx, few_grad(out + 2, g, out[1], 4, w));
}

struct run {
  const few_plan *plan;
  few_real real;
  double *slot[SLOTS]; /* the values of slot k, of type `real` */
  double *out[OUTS];
  uint64_t values;
};

static void fill(struct run *r, double scale) {
  for (int k = 0; k < few__plan_slots(r->plan); k++) {
    const struct few_slot *s = few__plan_slot(r->plan, k);
    const int64_t n = few_shape_count(s->shape);
    const double by = s->param ? scale / sqrt((double)n / 64) : 1;
    double x[ROOM];
    const struct few_rng rng = {.row = few__hash(s->name, strlen(s->name), 0) >> 32,
                                .purpose = FEW_RNG_CHECK};
    assert_true(n <= ROOM);
    few__rng_normal_f64(&rng, n, x);
    for (int64_t i = 0; i < n; i++) {
      if (r->real == FEW_F64)
        r->slot[k][i] = (double)(float)(by * x[i]);
      else
        ((float *)r->slot[k])[i] = (float)(by * x[i]);
    }
  }
}

static void begin(struct run *r, const few_plan *plan, few_real real) {
  *r = (struct run){.plan = plan, .real = real};
  for (int k = 0; k < SLOTS; k++) assert_non_null(r->slot[k] = calloc(ROOM, sizeof(double)));
  for (int k = 0; k < OUTS; k++) assert_non_null(r->out[k] = calloc(ROOM, sizeof(double)));
  fill(r, 1);
}

static void replay(void *user, int64_t i, int worker) {
  const struct run *r = (const struct run *)user + i;
  void *arena = NULL;
  assert_int_equal(posix_memalign(&arena, 64, few__plan_arena(r->plan) + 64), 0);
  memset(arena, 0xff, few__plan_arena(r->plan) + 64);
  few__plan_replay(r->plan, arena,
                   &(struct few_binding){.slots = (const void *const *)r->slot,
                                         .outs = (void *const *)r->out,
                                         .values = r->values,
                                         .worker = worker});
  free(arena);
}

static void end(struct run *r) {
  for (int k = 0; k < SLOTS; k++) free(r->slot[k]);
  for (int k = 0; k < OUTS; k++) free(r->out[k]);
}

static bool same_bits(const struct run *a, const struct run *b) {
  for (int k = 0; k < OUTS; k++)
    if (memcmp(a->out[k], b->out[k], ROOM * sizeof(double)) != 0) return false;
  return true;
}

struct fixture {
  few_ctx *ctx;
  few_graph *g;
  few_node out[OUTS];
};

static few_plan *plan_of(const struct fixture *f, const struct few_backend *b, few_real real,
                         few_precision precision) {
  few_plan *plan;
  assert_ok(f->ctx, few__plan_create(
                        f->ctx, &plan, f->g,
                        &(struct few_planning_opts){
                            .backend = b, .real = real, .verify = true, .precision = precision},
                        OUTS, f->out));
  return plan;
}

static struct fixture fixture_new(void) {
  struct fixture f = {.ctx = test_ctx()};
  assert_ok(f.ctx, few_graph_create(&f.g, f.ctx));
  build(f.ctx, f.g, f.out);
  return f;
}
static void fixture_free(struct fixture *f) {
  few_graph_free(f->g);
  few_ctx_free(f->ctx);
}

#define FOR_EACH_ISA(isa)                           \
  for (few_isa isa = 0; isa < FEW_ISA_COUNT; isa++) \
    if (few__isa_runs(isa))

/* Returns the root mean square of the difference, relative to that of a. */
static double apart(const double *a, const float *b, int64_t n) {
  double d = 0, size = 0;
  for (int64_t i = 0; i < n; i++) {
    d += (a[i] - (double)b[i]) * (a[i] - (double)b[i]);
    size += a[i] * a[i];
  }
  return sqrt(d / size);
}

/* A value passes through some dozen roundings. Each is at most 2^-9 of a number, and 2^-10.8 in
 * root mean square. */
static void test_near(void **state) {
  (void)state;
  struct fixture f = fixture_new();
  few_plan *exact = plan_of(&f, few__backend_ref(), FEW_F64, FEW_FP32);
  struct run r;
  begin(&r, exact, FEW_F64);
  replay(&r, 0, 0);
  FOR_EACH_ISA(isa) {
    few_plan *wide = plan_of(&f, few__backend_cpu_isa(isa), FEW_F32, FEW_FP32);
    few_plan *half = plan_of(&f, few__backend_cpu_isa(isa), FEW_F32, FEW_BF16);
    struct run h;
    begin(&h, half, FEW_F32);
    replay(&h, 0, 0);
    for (int k = 0; k < OUTS; k++) {
      const double off =
          apart(r.out[k], (const float *)h.out[k], few_shape_count(few_node_shape(f.g, f.out[k])));
      if (!(off > 1e-6 && off < 12 * 0x1p-9))
        fail_msg("output %d on %s: %.3g", k, few__isa_name(isa), off);
    }
    const struct few_plan_cost a = few__plan_cost(wide), b = few__plan_cost(half);
    assert_true(b.arena_bytes - b.scratch_bytes < 7 * (a.arena_bytes - a.scratch_bytes) / 10);
    assert_int_equal(a.packed_bytes, 0);
    end(&h);
    few__plan_free(wide);
    few__plan_free(half);
  }
  end(&r);
  few__plan_free(exact);
  fixture_free(&f);
}

static void test_packed(void **state) {
  (void)state;
  enum { THREADS = 3 };
  struct fixture f = fixture_new();
  few_workers *workers;
  assert_ok(f.ctx, few__workers_create(f.ctx, &workers, THREADS));
  int packing = 0;
  FOR_EACH_ISA(isa) {
    few_plan *plan = plan_of(&f, few__backend_cpu_isa(isa), FEW_F32, FEW_BF16);
    struct run each, many[THREADS];
    begin(&each, plan, FEW_F32);
    for (int i = 0; i < THREADS; i++) begin(&many[i], plan, FEW_F32);
    for (uint64_t values = 1; values < 4; values++) {
      fill(&each, (double)values);
      replay(&each, 0, 0);
      for (int i = 0; i < THREADS; i++) {
        many[i].values = values;
        for (int k = 0; k < SLOTS; k++) memcpy(many[i].slot[k], each.slot[k], ROOM * 8);
      }
      few__workers_run(workers, THREADS, replay, many);
      for (int i = 0; i < THREADS; i++) assert_true(same_bits(&each, &many[i]));
      /* if few_binding.values is the same, changed weights are not packed again */
      fill(&many[0], 9);
      struct run *stale = &many[0];
      replay(stale, 0, 0);
      if (few__plan_cost(plan).packed_bytes) {
        packing++;
        fill(&each, 9);
        replay(&each, 0, 0);
        assert_false(same_bits(&each, stale));
      }
    }
    end(&each);
    for (int i = 0; i < THREADS; i++) end(&many[i]);
    few__plan_free(plan);
  }
  assert_true(packing > 0); /* the base set packs weights */
  few__workers_free(workers);
  fixture_free(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_near),
      cmocka_unit_test(test_packed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
