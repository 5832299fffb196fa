/* Plans give the same numbers fused or not, on ref or cpu. Also outputs of every kind, attention
 * that is computed with its tangent, norms in programs, the primal of a JVP inside a loss, which is
 * computed once, and random graphs. */
#include "testing.h"

#include "base/rng.h"
#include "engine/op/op.h"
#include "engine/plan/plan.h"

struct run {
  few_plan *plan;
  int n_out;
  double *out[8];
};

/* Returns values for an input, which depend only on its name: the same numbers in every
 * precision. */
static void *values_of(const struct few_slot *s, few_real real) {
  int64_t n = few_shape_count(s->shape);
  struct few_rng r = {
      .seed = 5, .row = few__hash(s->name, strlen(s->name), 0) >> 32, .purpose = FEW_RNG_CHECK};
  double *v = calloc((size_t)n, sizeof *v);
  few__rng_normal_f64(&r, n, v);
  for (int64_t i = 0; i < n; i++) {
    v[i] = (float)v[i];
    if (s->type == FEW_INDEX)
      ((int32_t *)v)[i] = (int32_t)(i % 3);
    else if (real == FEW_F32)
      ((float *)v)[i] = (float)v[i];
  }
  return v;
}

static void run_opts(few_ctx *ctx, const few_graph *g, const struct few_planning_opts *o, int n_out,
                     const few_node *out, struct run *r) {
  const few_real real = o->real;
  assert_ok(ctx, few__plan_create(ctx, &r->plan, g, o, n_out, out));
  const void *slots[64];
  void *outs[8], *arena = NULL;
  int n = few__plan_slots(r->plan);
  assert_true(n <= 64 && n_out <= 8);
  for (int i = 0; i < n; i++) slots[i] = values_of(few__plan_slot(r->plan, i), real);
  assert_int_equal(posix_memalign(&arena, 64, few__plan_arena(r->plan) + 64), 0);
  memset(arena, 0xff, few__plan_arena(r->plan) + 64); /* NaN, to detect reading before writing */
  r->n_out = n_out;
  for (int k = 0; k < n_out; k++) {
    size_t count = (size_t)few_shape_count(few_node_shape(g, out[k]));
    assert_int_equal(posix_memalign(&outs[k], 64, (count + 8) * 8), 0);
    memset(outs[k], 0xff, (count + 8) * 8);
  }
  few__plan_replay(r->plan, arena,
                   &(struct few_binding){
                       .slots = slots, .outs = outs, .key = {.seed = 3, .step = 1, .row0 = 4}});
  for (int k = 0; k < n_out; k++) {
    size_t count = (size_t)few_shape_count(few_node_shape(g, out[k]));
    r->out[k] = outs[k];
    if (real == FEW_F32) {
      r->out[k] = malloc(count * sizeof(double) + 8);
      for (size_t i = 0; i < count; i++) r->out[k][i] = (double)((float *)outs[k])[i];
      free(outs[k]);
    }
  }
  for (int i = 0; i < n; i++) free((void *)(uintptr_t)slots[i]);
  free(arena);
}

static void run_plan(few_ctx *ctx, const few_graph *g, const char *backend, few_real real,
                     bool no_fusion, int n_out, const few_node *out, struct run *r) {
  const struct few_planning_opts o = {
      .backend = few__backend_find(backend), .real = real, .no_fusion = no_fusion, .verify = true};
  run_opts(ctx, g, &o, n_out, out, r);
}

static void free_run(struct run *r) {
  for (int k = 0; k < r->n_out; k++) free(r->out[k]);
  few__plan_free(r->plan);
}

/* In f64, plans with and without fusion and in-place results differ only by the order of sums. In
 * f32 the bound is relative to the largest element. */
static void compare(few_ctx *ctx, const few_graph *g, int n_out, const few_node *out,
                    double tol32) {
  struct run exact, plain, fused;
  run_plan(ctx, g, "ref", FEW_F64, true, n_out, out, &exact);
  run_plan(ctx, g, "cpu", FEW_F32, true, n_out, out, &plain);
  run_plan(ctx, g, "cpu", FEW_F32, false, n_out, out, &fused);
  for (int k = 0; k < n_out; k++) {
    int64_t n = few_shape_count(few_node_shape(g, out[k]));
    double largest = 1e-30;
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(exact.out[k][i]));
    for (int64_t i = 0; i < n; i++) {
      assert_close(plain.out[k][i], exact.out[k][i], tol32 * largest);
      assert_close(fused.out[k][i], exact.out[k][i], tol32 * largest);
    }
  }
  free_run(&exact);
  free_run(&plain);
  free_run(&fused);
}

static const double eps32 = 6e-8;

static void test_outputs_of_every_kind(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_graph *g;
  assert_ok(ctx, few_graph_create(&g, ctx));
  few_node x = few_input(g, "x", FEW_REAL, FEW_SHAPE(4, 6));
  few_node y = few_silu(g, few_affine(g, x, 2, 1));
  few_node out[] = {
      y,
      y,                                             /* an output twice */
      x,                                             /* a source */
      few_fill(g, 2.5, FEW_SHAPE(3)),                /* a constant */
      few_slice(g, y, 0, 1, 2),                      /* a view into y */
      few_reshape(g, few_exp(g, x), FEW_SHAPE(24)),  /* a view of a value of its own */
      few_sum(g, few_mul(g, y, x), FEW_SHAPE(1, 6)), /* a reduction of fused values */
      few_randn(g, 9, FEW_SHAPE(2, 3)),
  };
  compare(ctx, g, 8, out, 16 * eps32);
  few_graph_free(g);
  few_ctx_free(ctx);
}

/* A result is written over an operand only if both are stored alike. Here an activation in bf16 has
 * as many bytes as the f32 result that is computed from its first half. */
static void test_bf16_is_not_overwritten_by_f32(void **state) {
  (void)state;
  enum { N = 4, T = 40, C = 32 };
  few_ctx *ctx = test_ctx();
  few_graph *g;
  struct few_backend cpu = *few__backend_find("cpu");
  struct run wide, narrow;
  cpu.precision[FEW_BF16] = true;
  assert_ok(ctx, few_graph_create(&g, ctx));
  few_node x = few_input(g, "x", FEW_REAL, FEW_SHAPE(N, T, C));
  few_node y = few_exp(g, few_slice(g, few_silu(g, x), 0, 0, N / 2));
  few_node out = few_slice(g, y, 0, 0, 1); /* so that y itself is in the arena */
  run_opts(ctx, g,
           &(struct few_planning_opts){.backend = &cpu, .verify = true, .precision = FEW_BF16}, 1,
           &out, &narrow);
  run_plan(ctx, g, "ref", FEW_F64, true, 1, &out, &wide);
  /* silu(x) is below 6 and is rounded by at most 2^-8 of itself. So the exponential is off by at
   * most a little more than 6 x 2^-8 of itself. */
  for (int64_t i = 0; i < T * C; i++)
    assert_close(narrow.out[0][i], wide.out[0][i], 6.1 * 0x1p-8 * wide.out[0][i]);
  free_run(&wide);
  free_run(&narrow);
  few_graph_free(g);
  few_ctx_free(ctx);
}

/* Norms in a program:
 * - the value and two tangents of one x;
 * - norms with different groups;
 * - in place;
 * - with one position per row;
 * - with channels that do not fill a vector;
 * - with rows longer than a tile.
 * The mean is far from 0, so a tangent without the low part of the mean would be wrong. */
static void test_norms_in_programs(void **state) {
  (void)state;
  static const struct {
    struct few_shape shape;
    int groups;
  } cases[] = {{FEW_SHAPE(3, 4, 5, 64), 32}, {FEW_SHAPE(1, 3, 3, 12), 3},
               {FEW_SHAPE(5, 1, 2, 7), 1},   {FEW_SHAPE(2, 9, 6), 6},
               {FEW_SHAPE(2, 2, 3, 600), 2}, {FEW_SHAPE(4, 7, 1, 2), 1},
               {FEW_SHAPE(3, 1, 1, 32), 4}};
  few_ctx *ctx = test_ctx();
  for (size_t t = 0; t < FEW_COUNT(cases); t++) {
    struct few_shape s = cases[t].shape, by_channel = s;
    for (int k = 1; k < s.rank - 1; k++) by_channel.dim[k] = 1;
    few_graph *g;
    assert_ok(ctx, few_graph_create(&g, ctx));
    few_node x = few_affine(g, few_input(g, "x", FEW_REAL, s), 1, 20);
    few_node d = few_input(g, "d", FEW_REAL, s), e = few_input(g, "e", FEW_REAL, s);
    few_node scale = few_input(g, "scale", FEW_REAL, by_channel);
    few_node y = few_silu(g, few_mul(g, few_norm(g, x, cases[t].groups, true, 1e-3), scale));
    few_node dx[2] = {x, scale}, dd[2] = {d, FEW_NONE}, dy;
    few_jvp(&dy, g, 1, &y, 2, dx, dd);
    few_node other = few_norm(g, few_tanh(g, d), 1, false, 1e-2);
    few_node along = few_norm_tangent(g, x, e, cases[t].groups, true, 1e-3);
    few_node out[] = {few_mul(g, dy, along), dy, y, few_mul(g, other, y),
                      few_norm(g, few_add(g, dy, e), cases[t].groups, true, 1e-3)};
    compare(ctx, g, 5, out, 600 * eps32);
    few_graph_free(g);
  }
  few_ctx_free(ctx);
}

/* A result must not overwrite an operand if another operand is a part of that operand. Here it is
 * exp(a) times its third row, which is sliced after or before the exponential. */
static few_node times_a_row(few_graph *g, bool after) {
  const few_node a = few_input(g, "a", FEW_REAL, FEW_SHAPE(60, 400)), x = few_exp(g, a);
  const few_node row = after ? few_slice(g, x, 0, 2, 1) : few_exp(g, few_slice(g, a, 0, 2, 1));
  return few_sum(g, few_mul(g, x, row), FEW_SHAPE(60, 1));
}

static void test_parts_of_what_dies(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct run r[2];
  for (int fused = 0; fused < 2; fused++) {
    for (int after = 0; after < 2; after++) {
      few_graph *g;
      assert_ok(ctx, few_graph_create(&g, ctx));
      const few_node y = times_a_row(g, after);
      run_plan(ctx, g, "cpu", FEW_F32, !fused, 1, &y, &r[after]);
      few_graph_free(g);
    }
    for (int i = 0; i < 60; i++)
      assert_close(r[1].out[0][i], r[0].out[0][i], 1e-5 * fabs(r[0].out[0][i]));
    for (int k = 0; k < 2; k++) free_run(&r[k]);
  }
  few_ctx_free(ctx);
}

/* The values of random expressions over a few shapes do not depend on what the planner fuses,
 * overwrites and reuses. Bounded functions keep magnitudes near 1. */
static void test_random_graphs(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  const struct few_shape shapes[] = {FEW_SHAPE(2, 3, 8), FEW_SHAPE(2, 1, 8), FEW_SHAPE(1, 1, 8),
                                     FEW_SHAPE(2, 1, 1)};
  for (uint64_t seed = 0; seed < 60; seed++) {
    few_graph *g;
    assert_ok(ctx, few_graph_create(&g, ctx));
    few_node pool[80];
    int n = 0;
    for (int i = 0; i < 4; i++) {
      char name[16];
      snprintf(name, sizeof name, "x%d", i);
      pool[n++] = few_input(g, name, FEW_REAL, shapes[i]);
    }
    while (n < 80) {
      uint32_t w[4];
      few__rng_block(&(struct few_rng){.seed = seed, .purpose = FEW_RNG_CHECK}, (uint32_t)n, w);
      few_node a = pool[w[0] % (uint32_t)n], b = pool[w[1] % (uint32_t)n];
      switch (w[2] % 9) {
        case 0:
          pool[n++] = few_tanh(g, few_add(g, a, b));
          break;
        case 1:
          pool[n++] = few_mul(g, few_sin(g, a), few_cos(g, b));
          break;
        case 2:
          pool[n++] = few_sigmoid(g, few_sub(g, a, b));
          break;
        case 3:
          pool[n++] = few_sin(g, few_sum(g, a,
                                         few_node_shape(g, pool[w[3] % 4]).dim[1] == 1 &&
                                                 few_node_shape(g, a).dim[0] == 2
                                             ? FEW_SHAPE(2, 1, few_node_shape(g, a).dim[2])
                                             : few_node_shape(g, a)));
          break;
        case 4:
          pool[n++] = few_softmax(g, few_add(g, a, pool[0]));
          break;
        case 5:
          pool[n++] = few_max(g, few_stop(g, a), few_affine(g, b, 0.5, 0.1));
          break;
        case 6: {
          struct few_shape s = few_node_shape(g, a), flat = FEW_SHAPE(1, 1, few_shape_count(s));
          pool[n++] = few_cos(g, few_reshape(g, few_affine(g, few_reshape(g, a, flat), 0.9, 0), s));
          break;
        }
        case 7:
          pool[n++] = few_slice(g, few_tanh(g, few_mul(g, a, pool[0])), 0, 0, 2);
          break;
        default:
          pool[n++] = few_tanh(g, few_broadcast(g, pool[1 + w[3] % 3], shapes[0]));
          break;
      }
    }
    assert_ok(ctx, few_graph_status(g));
    few_node out[8];
    for (int k = 0; k < 8; k++) out[k] = pool[n - 1 - 3 * k];
    /* 80 operations in a chain, with slopes of about one, so errors add up */
    compare(ctx, g, 8, out, 400 * eps32);
    few_graph_free(g);
  }
  few_ctx_free(ctx);
}

static int live(const struct run *r, few_op op) { return few__plan_count_op(r->plan, op); }

/* A consistency-like step: F, its tangent, and the gradient of a loss on both. */
static void test_primal_is_computed_once(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_graph *g;
  assert_ok(ctx, few_graph_create(&g, ctx));
  few_node x = few_input(g, "x", FEW_REAL, FEW_SHAPE(2, 4, 4, 4));
  few_node dx = few_input(g, "dx", FEW_REAL, FEW_SHAPE(2, 4, 4, 4));
  few_node w = few_param(g, "w", FEW_SHAPE(3, 3, 4, 4)), v = few_param(g, "v", FEW_SHAPE(4, 12));
  few_node h = few_silu(g, few_norm(g, few_conv(g, x, w, 1, 1), 2, true, 1e-5));
  few_node qkv = few_reshape(g, few_matmul(g, h, v, false, false), FEW_SHAPE(2, 16, 3, 1, 4));
  few_node F = few_reshape(g, few_attention(g, qkv, 0.5), FEW_SHAPE(2, 4, 4, 4)), dF;
  assert_ok(ctx, few_jvp(&dF, g, 1, &F, 1, &x, &dx));
  few_node target = few_stop(g, few_add(g, F, few_scale(g, dF, 0.1)));
  few_node loss = few_mean_all(g, few_square(g, few_sub(g, F, target)));
  few_node p[2] = {w, v}, d[2];
  assert_ok(ctx, few_grad(d, g, loss, 2, p));
  few_node out[] = {loss, d[0], d[1]};
  compare(ctx, g, 3, out, 4000 * eps32);
  struct run r;
  run_plan(ctx, g, "ref", FEW_F64, false, 3, out, &r);
  assert_int_equal(live(&r, FEW_OP_CONV), 2); /* value and tangent */
  assert_int_equal(live(&r, FEW_OP_CONV_DW), 1);
  assert_int_equal(live(&r, FEW_OP_ATTENTION), 0); /* computed with its tangent */
  assert_int_equal(live(&r, FEW_OP_ATTENTION_DUAL), 1);
  assert_int_equal(live(&r, FEW_OP_ATTENTION_GRAD), 1);
  assert_int_equal(live(&r, FEW_OP_NORM), 1);
  free_run(&r);
  few_graph_free(g);
  few_ctx_free(ctx);
}

/* If the direction of the tangent depends on the value, a kernel of its own computes the value. */
static void test_riding_makes_no_cycle(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_graph *g;
  assert_ok(ctx, few_graph_create(&g, ctx));
  few_node x = few_input(g, "x", FEW_REAL, FEW_SHAPE(1, 3, 3, 1, 2));
  few_node y = few_attention(g, x, 1), dy;
  few_node seed =
      few_broadcast(g, few_reshape(g, y, FEW_SHAPE(1, 3, 1, 1, 2)), FEW_SHAPE(1, 3, 3, 1, 2));
  assert_ok(ctx, few_jvp(&dy, g, 1, &y, 1, &x, &seed));
  few_node out[] = {y, dy};
  compare(ctx, g, 2, out, 64 * eps32);
  few_graph_free(g);
  few_ctx_free(ctx);
}

static void test_arena_reuses(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_graph *g;
  assert_ok(ctx, few_graph_create(&g, ctx));
  few_node x = few_input(g, "x", FEW_REAL, FEW_SHAPE(64, 64));
  for (int i = 0; i < 20; i++) x = few_softmax(g, x);
  few_node out[] = {few_sum_all(g, x)};
  struct run r;
  run_plan(ctx, g, "ref", FEW_F64, false, 1, out, &r);
  assert_true(few__plan_arena(r.plan) < 3 * 64 * 64 * sizeof(double)); /* not 20 */
  free_run(&r);
  few_graph_free(g);
  few_ctx_free(ctx);
}

/* A chain of convolution, norm, modulation and SiLU. The gradients equal those of plain kernels.
 * Between two convolutions, only the inputs of the next convolution and of the norm are kept, not
 * five arrays. */
static void test_backward_makes_again(void **state) {
  (void)state;
  enum { LAYERS = 6 };
  struct few_shape s = FEW_SHAPE(2, 6, 6, 16);
  few_ctx *ctx = test_ctx();
  few_graph *g;
  assert_ok(ctx, few_graph_create(&g, ctx));
  few_node x = few_input(g, "x", FEW_REAL, s), w[1 + LAYERS], out[2 + LAYERS], loss;
  few_node scale = w[0] = few_input(g, "scale", FEW_REAL, FEW_SHAPE(2, 1, 1, 16));
  for (int l = 1; l <= LAYERS; l++) {
    char name[16];
    snprintf(name, sizeof name, "w%d", l);
    w[l] = few_input(g, name, FEW_REAL, FEW_SHAPE(3, 3, 16, 16));
    x = few_norm(g, few_conv(g, x, w[l], 1, 1), 4, true, 1e-3);
    x = few_silu(g, few_add(g, few_mul(g, x, few_affine(g, scale, 0.2, 1)), scale));
  }
  out[0] = loss = few_sum_all(g, few_square(g, x));
  assert_ok(ctx, few_grad(out + 1, g, loss, 1 + LAYERS, w));
  compare(ctx, g, 2 + LAYERS, out, 2000 * eps32);
  struct run r;
  run_plan(ctx, g, "cpu", FEW_F32, false, 2 + LAYERS, out, &r);
  size_t image = (size_t)few_shape_count(s) * sizeof(float), kept = 2 * LAYERS * image;
  size_t scratch = few__plan_cost(r.plan).scratch_bytes;
  assert_true(few__plan_arena(r.plan) - scratch < kept + 6 * image);
  assert_true(live(&r, FEW_OP_NORM) > LAYERS);
  free_run(&r);
  few_graph_free(g);
  few_ctx_free(ctx);
}

/* When rows of a batch are sliced, so are their labels, in both number types. */
static void test_labels_of_some_rows(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_graph *g;
  assert_ok(ctx, few_graph_create(&g, ctx));
  few_node label = few_input(g, "label", FEW_INDEX, FEW_SHAPE(7));
  few_node some = few_onehot(g, few_slice(g, label, 0, 2, 4), 3);
  const few_node out[] = {some, few_slice(g, few_onehot(g, label, 3), 0, 2, 4)};
  assert_ok(ctx, few_graph_status(g));
  for (int real = 0; real < 2; real++) {
    struct run r;
    run_plan(ctx, g, real ? "ref" : "cpu", real ? FEW_F64 : FEW_F32, false, 2, out, &r);
    assert_memory_equal(r.out[0], r.out[1], sizeof(double) * 12);
    assert_true(r.out[0][2] == 1); /* row 2 has label 2 */
    free_run(&r);
  }
  few_slice(g, few_add(g, label, label), 0, 0, 1);
  assert_int_equal(few_graph_status(g), FEW_E_INVALID);
  few_graph_free(g);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_outputs_of_every_kind),
      cmocka_unit_test(test_bf16_is_not_overwritten_by_f32),
      cmocka_unit_test(test_norms_in_programs),
      cmocka_unit_test(test_parts_of_what_dies),
      cmocka_unit_test(test_random_graphs),
      cmocka_unit_test(test_primal_is_computed_once),
      cmocka_unit_test(test_riding_makes_no_cycle),
      cmocka_unit_test(test_arena_reuses),
      cmocka_unit_test(test_backward_makes_again),
      cmocka_unit_test(test_labels_of_some_rows),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
