/* Every weight is compared with its definition. A weight times |F - F*|^2 is lambda(SNR) |x -
 * x^|^2. If the paper defines it as the unweighted error of another prediction, it is that error.
 * The slope of the conversion (process/predict.h) turns an error of F into that of another
 * prediction. */
#include "testing.h"

#include "diffusion/weight/weight.h"
#include "engine/plan/plan.h"
#include "oracle/precond.h"

enum { ROWS = 7 };
static const double times[ROWS] = {1e-3, 0.05, 0.4, 0.9, 1.1, 1.5, 1.5645464};
static const double sds[] = {0.5, 1, 2.5}, gamma = 3;

static double square(double x) { return x * x; }

/* |y - y^|^2 divided by |F - F^|^2, for the prediction y. */
static double error_of(enum few_prediction y, double sd, double t) {
  struct few_mix state = few__process_trigflow.at(sd, t);
  return square(predict_convert(state, few__predict_mix(FEW_PREDICT_F, sd, state),
                                few__predict_mix(y, sd, state))
                    .y);
}

static double constant(double sd, double t) { return error_of(FEW_PREDICT_X, sd, t); }
static double snr(double sd, double t) { return error_of(FEW_PREDICT_EPS, sd, t); }
static double snr_trunc(double sd, double t) { return fmax(constant(sd, t), snr(sd, t)); }
static double snr_plus_1(double sd, double t) { return error_of(FEW_PREDICT_V, sd, t); }
static double min_snr(double sd, double t) {
  return fmin(1 / square(sd * tan(t)), gamma) * constant(sd, t);
}
static double edm(double sd, double t) {
  double sigma = sd * tan(t);
  return (square(sigma) + square(sd)) / square(sigma * sd) * constant(sd, t);
}
static double trigflow(double sd, double t) { return error_of(FEW_PREDICT_F, sd, t); }
static double flow(double sd, double t) {
  /* the velocity of y = x_t/(cos t + sd sin t), eps - x0 */
  return error_of(FEW_PREDICT_FLOW, sd, t);
}

static const struct {
  const char *name;
  double (*definition)(double sd, double t);
} rows[] = {{"constant", constant}, {"snr", snr}, {"snr-trunc", snr_trunc}, {"snr+1", snr_plus_1},
            {"min-snr", min_snr},   {"edm", edm}, {"trigflow", trigflow},   {"flow", flow}};

static void factors(few_ctx *ctx, const struct few_weight *w, double sd, double *out) {
  const struct few_planning_opts po = {.backend = few__backend_ref(), .real = FEW_F64};
  few_graph *g;
  few_plan *plan;
  assert_ok(ctx, few_graph_create(&g, ctx));
  few_node t = few_input(g, "t", FEW_REAL, FEW_SHAPE(ROWS));
  few_node y = few__weight_factor(g, w, gamma, sd, t);
  assert_ok(ctx, few_graph_status(g));
  assert_true(few_shape_equal(few_node_shape(g, y), FEW_SHAPE(ROWS)));
  assert_ok(ctx, few__plan_create(ctx, &plan, g, &po, 1, &y));
  const void *slot = times;
  void *arena = few__alloc(ctx, few__plan_arena(plan) + 64), *outs = out;
  few__plan_replay(plan, arena, &(struct few_binding){.slots = &slot, .outs = &outs});
  few__free(ctx, arena);
  few__plan_free(plan);
  few_graph_free(g);
}

static void test_definitions(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  assert_int_equal(few__weight_count(), FEW_COUNT(rows));
  for (int i = 0; i < FEW_COUNT(rows); i++)
    for (int s = 0; s < 3; s++) {
      const struct few_weight *w;
      double out[ROWS];
      assert_ok(ctx, few__weight_find(ctx, &w, rows[i].name));
      factors(ctx, w, sds[s], out);
      for (int k = 0; k < ROWS; k++) {
        double want = rows[i].definition(sds[s], times[k]);
        /* a few products and quotients, with an error of 1 ulp each */
        if (!(fabs(out[k] - want) <= 16 * 0x1p-52 * want))
          fail_msg("%s at sigma_d %g, t %g: %.17g, expected %.17g", w->name, sds[s], times[k],
                   out[k], want);
      }
    }
  few_ctx_free(ctx);
}

static void test_unknown(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  const struct few_weight *w;
  assert_int_equal(few__weight_find(ctx, &w, "snr2"), FEW_E_INVALID);
  assert_non_null(strstr(few_error(ctx), "choose one of trigflow edm constant"));
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_definitions),
      cmocka_unit_test(test_unknown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
