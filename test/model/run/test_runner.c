/* F is compared with the same network in f64 on the reference backend. It has the same bits for any
 * grouping of rows and any number of workers. Classifier-free guidance is compared with its
 * formula.
 * */
#include "model/models.h"

#include "engine/plan/plan.h"

enum { MAX_ROWS = 600 };

struct batch { /* rows, drawn with a seed */
  int64_t n, dims;
  float *x, *t, *guidance, *step_size, *out;
  int32_t *label;
};

static struct batch batch_new(const few_model *m, int64_t n) {
  int64_t dims = m->spec.h * m->spec.w * m->spec.c;
  struct batch b = {.n = n, .dims = dims};
  b.x = test_malloc((size_t)(n * dims) * sizeof *b.x);
  b.out = test_malloc((size_t)(n * dims) * sizeof *b.out);
  b.t = test_malloc((size_t)n * sizeof *b.t);
  b.guidance = test_malloc((size_t)n * sizeof *b.guidance);
  b.step_size = m->spec.step_size ? test_malloc((size_t)n * sizeof *b.step_size) : NULL;
  b.label = test_malloc((size_t)n * sizeof *b.label);
  for (int64_t i = 0; i < n; i++) {
    struct few_rng r = {.seed = 5, .row = (uint64_t)i, .purpose = FEW_RNG_CHECK};
    float u;
    few__rng_normal_f32(&r, dims, b.x + i * dims);
    r.step = 1;
    few__rng_uniform_f32(&r, 1, &u);
    b.t[i] = 0.01F + 1.55F * u;
    b.guidance[i] = 1 + 3 * u;
    if (b.step_size) b.step_size[i] = u * u;
    b.label[i] = (int32_t)(i % (m->spec.classes + 1)) - 1;
  }
  return b;
}

static void batch_free(struct batch *b) {
  test_free(b->x);
  test_free(b->t);
  test_free(b->guidance);
  if (b->step_size) test_free(b->step_size);
  test_free(b->label);
  test_free(b->out);
}

/* The sum of the numbers of terms of all products. It bounds the error of an f32 result in units of
 * 2^-24 of the size of its terms, since errors of a layer pass through norms that keep sizes near
 * 1. Pointwise steps add a few more. */
static double roundings(const few_graph *g, few_node y) {
  double sum = 0;
  for (few_node v = 0; v <= y; v++) {
    const struct few_node_data *n = few__node(g, v);
    const struct few_op_def *def = few__op_def(n->op);
    sum += def->flops ? def->flops(g, n) / (2 * (double)few_shape_count(n->shape)) : 1;
  }
  return sum;
}

/* Computes row i of the batch in f64. Returns the bound on the error of f32, relative to 1 + max
 * |F|.
 * */
static double exact_row(few_model *m, const struct batch *b, int64_t i, double *F) {
  few_ctx *ctx = m->ctx;
  const struct few_planning_opts po = {.backend = few__backend_ref(), .real = FEW_F64};
  few_graph *g;
  few_node y;
  few_plan *plan;
  assert_ok(ctx, few_graph_create(&g, ctx));
  assert_ok(ctx, few_model_graph(&y, m, g, 1));
  double bound = roundings(g, y) * 0x1p-24;
  assert_ok(ctx, few__plan_create(ctx, &plan, g, &po, 1, &y));
  int n = few__plan_slots(plan);
  void **slots = test_calloc((size_t)n, sizeof *slots);
  for (int k = 0; k < n; k++) {
    const struct few_slot *s = few__plan_slot(plan, k);
    int64_t count = few_shape_count(s->shape);
    int row = s->param ? few__params_find(&m->params, s->name) : -1;
    const float *from = row >= 0            ? m->values + m->params.at[row].offset
                        : s->name[0] == 'x' ? b->x + i * b->dims
                        : s->name[0] == 't' ? b->t + i
                        : s->name[0] == 's' ? b->step_size + i
                                            : b->guidance + i;
    slots[k] = test_malloc((size_t)count * sizeof(double));
    for (int64_t e = 0; e < count && s->type == FEW_REAL; e++)
      ((double *)slots[k])[e] = (double)from[e];
    if (s->type == FEW_INDEX) *(int32_t *)slots[k] = b->label[i];
  }
  void *arena = few__alloc(ctx, few__plan_arena(plan) + 1), *out = F;
  few__plan_replay(plan, arena,
                   &(struct few_binding){.slots = (const void *const *)slots, .outs = &out});
  for (int k = 0; k < n; k++) test_free(slots[k]);
  test_free(slots);
  few__free(ctx, arena);
  few__plan_free(plan);
  few_graph_free(g);
  return bound;
}

static void test_against_f64(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  for (int which = 0; which < TEST_MODELS; which++) {
    few_model *m = test_model_new(ctx, which);
    struct batch b = batch_new(m, 11);
    double F[64];
    assert_ok(ctx, once_eval(m, b.n, b.x, b.t, b.step_size, b.label,
                             m->spec.guidance ? b.guidance : NULL, b.out));
    for (int64_t i = 0; i < b.n; i++) {
      double bound = exact_row(m, &b, i, F), size = 1;
      for (int64_t k = 0; k < b.dims; k++) size = fmax(size, fabs(F[k]));
      for (int64_t k = 0; k < b.dims; k++)
        assert_close(b.out[i * b.dims + k], F[k], bound * (1 + size));
    }
    batch_free(&b);
    few_model_free(m);
  }
  few_ctx_free(ctx);
}

/* One call of 600 rows, then parts that begin at multiples of few_runner_rows, with other
 * workers. */
static void test_grouping(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  for (int which = 0; which < TEST_MODELS; which++) {
    few_model *m = test_model_new(ctx, which);
    struct batch b = batch_new(m, m->spec.points ? MAX_ROWS : 29);
    few_runner *r = once_runner(m);
    const int64_t R = few_runner_rows(r);
    const float *guidance = m->spec.points ? NULL : b.guidance;
    float *again = test_malloc((size_t)(b.n * b.dims) * sizeof *again);
    assert_ok(ctx, few_runner_eval(b.out, r,
                                   &(struct few_inputs){FEW_INPUTS_VERSION, b.n, b.x, b.t,
                                                        b.step_size, b.label, guidance}));
    for (int workers = 1; workers <= 4; workers++) {
      few_ctx_set_workers(ctx, workers);
      for (int64_t at = 0; at < b.n; at += workers * R) {
        int64_t n = b.n - at < workers * R ? b.n - at : workers * R;
        const struct few_inputs in = {FEW_INPUTS_VERSION,
                                      n,
                                      b.x + at * b.dims,
                                      b.t + at,
                                      b.step_size ? b.step_size + at : NULL,
                                      b.label + at,
                                      guidance ? guidance + at : NULL};
        assert_ok(ctx, few_runner_eval(again + at * b.dims, r, &in));
      }
      assert_memory_equal(again, b.out, (size_t)(b.n * b.dims) * sizeof *again);
    }
    test_free(again);
    batch_free(&b);
    few_runner_free(r);
    few_model_free(m);
  }
  few_ctx_free(ctx);
}

static void test_classifier_free(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_model *m = test_model_new(ctx, TEST_UNET);
  struct batch b = batch_new(m, 10);
  double F[64];
  float *u = test_malloc((size_t)(b.n * b.dims) * sizeof *u);
  float *c = test_malloc((size_t)(b.n * b.dims) * sizeof *c);
  double bound = exact_row(m, &b, 0, F);
  assert_ok(ctx, once_eval(m, b.n, b.x, b.t, NULL, b.label, NULL, c));
  assert_ok(ctx, once_eval(m, b.n, b.x, b.t, NULL, NULL, NULL, u));
  assert_ok(ctx, once_eval(m, b.n, b.x, b.t, NULL, b.label, b.guidance, b.out));
  for (int64_t i = 0; i < b.n; i++) {
    double s = (double)b.guidance[i], size = 1, change = 0;
    for (int64_t k = i * b.dims; k < (i + 1) * b.dims; k++) {
      size = fmax(size, fmax(fabs((double)c[k]), fabs((double)u[k])));
      change = fmax(change, fabs((double)c[k] - (double)u[k]));
    }
    for (int64_t k = i * b.dims; k < (i + 1) * b.dims; k++)
      assert_close(b.out[k], u[k] + s * ((double)c[k] - u[k]), bound * (1 + size) * (2 + 2 * s));
    assert_true(b.label[i] < 0 ? change == 0 : change > 0.01);
  }
  test_free(u);
  test_free(c);
  batch_free(&b);
  few_model_free(m);
  few_ctx_free(ctx);
}

static void test_refused(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  few_model *m = test_model_new(ctx, TEST_MLP);
  struct batch b = batch_new(m, 3);
  int32_t label[3] = {-1, -1, 0};
  assert_ok(ctx, once_eval(m, 0, NULL, NULL, NULL, NULL, NULL, NULL));
  assert_int_equal(once_eval(m, -1, b.x, b.t, NULL, NULL, NULL, b.out), FEW_E_INVALID);
  assert_int_equal(once_eval(m, 3, b.x, b.t, NULL, label, NULL, b.out), FEW_E_INVALID);
  b.guidance[0] = 2;
  assert_int_equal(once_eval(m, 3, b.x, b.t, NULL, NULL, b.guidance, b.out), FEW_E_INVALID);
  float step_size[3] = {0.1F, 0.2F, 0.3F};
  assert_int_equal(once_eval(m, 3, b.x, b.t, step_size, NULL, NULL, b.out), FEW_E_INVALID);
  few_model *map = test_model_new(ctx, TEST_MAP);
  assert_int_equal(once_eval(map, 3, b.x, b.t, NULL, NULL, NULL, b.out), FEW_E_INVALID);
  assert_non_null(strstr(few_error(ctx), "few_runner_step_size"));
  few_model_free(map);
  batch_free(&b);
  few_model_free(m);
  few_ctx_free(ctx);
}

/* Times at which a prediction does not determine F. */
static void test_times_without_F(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  static const struct {
    enum few_prediction predicts;
    float bad;
  } cases[] = {{FEW_PREDICT_X, 0}, {FEW_PREDICT_EPS, 1.5707963F}};
  for (int i = 0; i < 2; i++) {
    few_model *m = test_model_new(ctx, TEST_MLP);
    struct batch b = batch_new(m, 3);
    m->spec.predicts = cases[i].predicts;
    assert_ok(ctx, once_eval(m, 3, b.x, b.t, NULL, NULL, NULL, b.out));
    b.t[1] = 1.5707963F - cases[i].bad; /* the other end is fine */
    assert_ok(ctx, once_eval(m, 3, b.x, b.t, NULL, NULL, NULL, b.out));
    for (int k = 0; k < 6; k++) assert_true(isfinite(b.out[k]));
    b.t[1] = cases[i].bad;
    assert_int_equal(once_eval(m, 3, b.x, b.t, NULL, NULL, NULL, b.out), FEW_E_INVALID);
    assert_non_null(strstr(few_error(ctx), few__predict_name(cases[i].predicts)));
    batch_free(&b);
    few_model_free(m);
  }
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_against_f64),     cmocka_unit_test(test_grouping),
      cmocka_unit_test(test_classifier_free), cmocka_unit_test(test_times_without_F),
      cmocka_unit_test(test_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
