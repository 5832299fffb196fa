/* The nodes that compute F from every prediction are compared with the conversion in plain C, and
 * for two heads with Salimans and Ho's formula. Their derivatives, also with respect to t, are
 * compared with differences. */
#include "testing.h"

#include "base/rng.h"
#include "diffusion/net/net.h"
#include "engine/plan/plan.h"
#include "few/check.h"
#include "oracle/convert.h"

enum { ROWS = 6, DIM = 3 };
static const double times[ROWS] = {1e-3, 0.05, 0.4, 1.1, 1.5, 1.5645464};
static const double sds[] = {0.5, 1, 2.5};

struct case_ {
  few_ctx *ctx;
  few_graph *g;
  struct few_net_spec spec;
  struct few_net_input in;
  few_node raw, F;
  double x[ROWS * DIM], y[ROWS * DIM * 2], out[ROWS * DIM];
};

static void begin(struct case_ *c, enum few_prediction predicts, double sd, few_node t) {
  c->spec = (struct few_net_spec){
      .h = 1, .w = 1, .c = DIM, .points = true, .sigma_data = sd, .predicts = predicts};
  const int64_t heads = few_net_heads(&c->spec);
  c->in = few_net_input_of(few_input(c->g, "x", FEW_REAL, FEW_SHAPE(ROWS, DIM)), t, FEW_NONE);
  c->raw = few_input(c->g, "raw", FEW_REAL, FEW_SHAPE(ROWS, DIM * heads));
  c->F = few__net_F(c->g, &c->spec, &c->in, c->raw);
  assert_ok(c->ctx, few_graph_status(c->g));
  assert_true(few_shape_equal(few_node_shape(c->g, c->F), FEW_SHAPE(ROWS, DIM)));
}

static void replay(struct case_ *c) {
  const struct few_planning_opts po = {.backend = few__backend_ref(), .real = FEW_F64};
  few_plan *plan;
  assert_ok(c->ctx, few__plan_create(c->ctx, &plan, c->g, &po, 1, &c->F));
  const void *slots[3] = {NULL};
  for (int i = 0; i < few__plan_slots(plan); i++) {
    const char *name = few__plan_slot(plan, i)->name;
    slots[i] = name[0] == 't' ? times : name[0] == 'x' ? c->x : c->y;
  }
  void *arena = few__alloc(c->ctx, few__plan_arena(plan) + 64), *out = c->out;
  few__plan_replay(plan, arena, &(struct few_binding){.slots = slots, .outs = &out});
  few__free(c->ctx, arena);
  few__plan_free(plan);
}

/* Returns F of one element in plain C, and in *size the size of its terms. `x` is x_t. */
static double expected(const struct case_ *c, int row, int k, double *size) {
  const double sd = c->spec.sigma_data, t = times[row], x = sd * c->x[row * DIM + k];
  if (c->spec.predicts != FEW_PREDICT_BOTH) {
    struct to_trig l = to_trig(&few__process_trigflow, c->spec.predicts, sd, t);
    double y = c->y[row * DIM + k];
    *size = fabs(l.out * y) + (fabs(l.out) * (1 + sd + 1 / sd) + fabs(l.skip)) * fabs(x);
    return l.skip * x + l.out * y;
  }
  /* x = sigma^2 x_head + alpha^2 (x' - sigma eps_head)/alpha in the VP process, x' = x_t/n */
  const double n = hypot(cos(t), sd * sin(t)), alpha = cos(t) / n, sigma = sd * sin(t) / n;
  const double *y = c->y + row * 2 * DIM + k;
  double D = sigma * sigma * y[0] + alpha * alpha * (x / n - sigma * y[DIM]) / alpha;
  *size = (fabs(x) * (1 + 1 / (n * n)) + fabs(D) + fabs(y[0]) + fabs(y[DIM])) / (sd * sin(t));
  return (cos(t) * x - D) / (sd * sin(t));
}

/* Compares the conversion in f32, in which networks train, with that in f64, for sigma from 0.0005
 * to 80. Errors are relative to max(1, |F|). 1/cos t makes those of eps larger, 1/sin t those of x.
 * Measured: 8.6e-6 for eps, 1.2e-6 for x, at most 4e-7 for the others. */
static void test_single(void **state) {
  (void)state;
  struct case_ c = {.ctx = test_ctx()};
  for (int p = 0; p < FEW_PREDICTIONS; p++) {
    float t[ROWS], x[ROWS * DIM], y[2 * ROWS * DIM], out[ROWS * DIM];
    double worst = 0;
    assert_ok(c.ctx, few_graph_create(&c.g, c.ctx));
    begin(&c, (enum few_prediction)p, 0.5, few_input(c.g, "t", FEW_REAL, FEW_SHAPE(ROWS)));
    struct few_rng r = {.seed = 3, .row = (uint64_t)p, .purpose = FEW_RNG_CHECK};
    few__rng_normal_f64(&r, ROWS * DIM, c.x);
    r.step = 1;
    few__rng_normal_f64(&r, ROWS * DIM * 2, c.y);
    for (int i = 0; i < ROWS; i++) t[i] = (float)times[i];
    for (int i = 0; i < ROWS * DIM; i++) c.x[i] = (double)(x[i] = (float)c.x[i]);
    for (int i = 0; i < 2 * ROWS * DIM; i++) c.y[i] = (double)(y[i] = (float)c.y[i]);
    const struct few_planning_opts po = {.backend = few__backend_ref(), .real = FEW_F32};
    few_plan *plan;
    assert_ok(c.ctx, few__plan_create(c.ctx, &plan, c.g, &po, 1, &c.F));
    const void *slots[3] = {NULL};
    for (int i = 0; i < few__plan_slots(plan); i++) {
      const char *name = few__plan_slot(plan, i)->name;
      slots[i] = name[0] == 't' ? t : name[0] == 'x' ? x : y;
    }
    void *arena = few__alloc(c.ctx, few__plan_arena(plan) + 64), *o = out;
    few__plan_replay(plan, arena, &(struct few_binding){.slots = slots, .outs = &o});
    for (int i = 0; i < ROWS * DIM; i++) {
      double size, want = expected(&c, i / DIM, i % DIM, &size);
      worst = fmax(worst, fabs((double)out[i] - want) / fmax(1, fabs(want)));
    }
    if (!(worst < (p == FEW_PREDICT_EPS ? 2e-5 : p == FEW_PREDICT_X ? 4e-6 : 1e-6)))
      fail_msg("%s: single precision is off by %.1e", few__predict_name(p), worst);
    few__free(c.ctx, arena);
    few__plan_free(plan);
    few_graph_free(c.g);
  }
  few_ctx_free(c.ctx);
}

static void test_values(void **state) {
  (void)state;
  struct case_ c = {.ctx = test_ctx()};
  for (int p = 0; p < FEW_PREDICTIONS; p++)
    for (int s = 0; s < 3; s++) {
      assert_ok(c.ctx, few_graph_create(&c.g, c.ctx));
      begin(&c, (enum few_prediction)p, sds[s], few_input(c.g, "t", FEW_REAL, FEW_SHAPE(ROWS)));
      struct few_rng r = {.seed = 3, .row = (uint64_t)p, .purpose = FEW_RNG_CHECK};
      few__rng_normal_f64(&r, ROWS * DIM, c.x);
      r.step = 1;
      few__rng_normal_f64(&r, ROWS * DIM * 2, c.y);
      replay(&c);
      for (int i = 0; i < ROWS * DIM; i++) {
        double size, want = expected(&c, i / DIM, i % DIM, &size);
        if (!(fabs(c.out[i] - want) <= 32 * 0x1p-52 * size))
          fail_msg("%s, sigma_d %g, t = %g: %.17g, expected %.17g", few__predict_name(p), sds[s],
                   times[i / DIM], c.out[i], want);
      }
      few_graph_free(c.g);
    }
  few_ctx_free(c.ctx);
}

/* The time that is embedded is net_time of the process, at its time with the same noise-to-signal
 * ratio. */
static void test_times(void **state) {
  (void)state;
  struct case_ c = {.ctx = test_ctx()};
  for (int k = 0; k < few__process_count(); k++)
    for (int s = 0; s < 3; s++) {
      const struct few_process *p = few__process_at(k);
      assert_ok(c.ctx, few_graph_create(&c.g, c.ctx));
      few_node t = few_input(c.g, "t", FEW_REAL, FEW_SHAPE(ROWS));
      c.F = p->embedded_time(c.g, &(struct few_units){.sigma_d = sds[s]}, t);
      replay(&c);
      /* vp-linear: the difference of two logarithms, over b0; ddpm: a logarithm, over the least
       * difference of two of its table */
      const double factor = p == &few__process_vp_linear ? 2 * 10 / 0.1 : 1;
      for (int i = 0; i < ROWS; i++)
        assert_close(
            c.out[i], to_trig(p, FEW_PREDICT_F, sds[s], times[i]).net_time,
            0x1p-52 * (p == &few__process_ddpm ? 4 * 10 / 0.002 : fmax(factor, 1 / cos(times[i]))));
      few_graph_free(c.g);
    }
  few_ctx_free(c.ctx);
}

/* The raw network of a process takes net_scale times that process's state. */
static void test_inputs(void **state) {
  (void)state;
  struct case_ c = {.ctx = test_ctx()};
  for (int k = 0; k < few__process_count(); k++)
    for (int s = 0; s < 3; s++) {
      const struct few_process *p = few__process_at(k);
      assert_ok(c.ctx, few_graph_create(&c.g, c.ctx));
      begin(&c, FEW_PREDICT_F, sds[s], few_input(c.g, "t", FEW_REAL, FEW_SHAPE(ROWS)));
      c.spec.process = k;
      c.F = few_affine(c.g, few__net_input(c.g, &c.spec, &c.in).x, 1, 0);
      struct few_rng r = {.seed = 4, .purpose = FEW_RNG_CHECK};
      few__rng_normal_f64(&r, ROWS * DIM, c.x);
      if (p->input) replay(&c);
      for (int i = 0; p->input && i < ROWS * DIM; i++) {
        const double want = to_trig(p, FEW_PREDICT_F, sds[s], times[i / DIM]).in_scale * sds[s];
        /* the oracle finds the process's own time, and alpha and sigma from it */
        assert_close(c.out[i] / c.x[i], want, 0x1p-52 * 1000);
      }
      few_graph_free(c.g);
    }
  few_ctx_free(c.ctx);
}

static void test_derivatives(void **state) {
  (void)state;
  struct case_ c = {.ctx = test_ctx()};
  for (int p = 0; p < FEW_PREDICTIONS; p++) {
    struct few_check_result r;
    assert_ok(c.ctx, few_graph_create(&c.g, c.ctx));
    few_node t = few_input(c.g, "t", FEW_REAL, FEW_SHAPE(ROWS));
    begin(&c, (enum few_prediction)p, 0.5, few_affine(c.g, few_tanh(c.g, t), 0.5, 0.8));
    /* at h = 1e-5: rounding 2e-16/h, truncation h^2 times third derivatives (1/sin^4) */
    assert_ok(c.ctx, few_check_derivatives(&r, c.g, c.F, 0, NULL, 0.5, 7));
    if (!(r.difference < 1e-7 && r.adjoint < 1e-12 && r.tangent > 0.1))
      fail_msg("%s: difference %.3g, adjoint %.3g", few__predict_name(p), r.difference, r.adjoint);
    few_graph_free(c.g);
  }
  few_ctx_free(c.ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_values),      cmocka_unit_test(test_single),
      cmocka_unit_test(test_times),       cmocka_unit_test(test_inputs),
      cmocka_unit_test(test_derivatives),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
