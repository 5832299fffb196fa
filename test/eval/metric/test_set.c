/* What a set stores: the marginals of its splits, labels, chosen rows. Also values that are not
 * finite. */
#include <float.h>

#include "eval/metric/gram.h"
#include "golden.h"
#include "sets.h"

struct fixture {
  few_ctx *ctx;
  few_workers *w;
};
static int setup(void **state) {
  static struct fixture f;
  f.ctx = test_ctx();
  f.w = test_workers(f.ctx, 1);
  *state = &f;
  return 0;
}
static int teardown(void **state) {
  struct fixture *f = *state;
  few__workers_free(f->w);
  few_ctx_free(f->ctx);
  return 0;
}

/* Returns a set of logits [n][classes], added in groups. */
static few_eval_set *logit_set(struct fixture *f, unsigned needs, int64_t n, int64_t classes,
                               int splits, const float *logits, const int32_t *labels,
                               int64_t group) {
  few_eval_set *s;
  struct few_eval_set_opts o = {
      .name = "logits", .needs = needs, .n = n, .dim = 1, .classes = classes, .splits = splits};
  float *rows = calloc((size_t)n, sizeof *rows);
  assert_ok(f->ctx, few__eval_set_create(f->ctx, &s, f->w, &o));
  for (int64_t i = 0; i < n; i += group)
    assert_ok(f->ctx, few__eval_set_add(s, n - i < group ? n - i : group, rows + i,
                                        logits + i * classes, NULL, labels ? labels + i : NULL));
  few__eval_set_end(s);
  free(rows);
  return s;
}

static struct few_metric_value score(struct fixture *f, const few_eval_set *s, const char *name) {
  struct few_metric_opts o = {0};
  struct few_metric_shared shared = {.w = f->w};
  struct few_metric_input in = {s, NULL, &o, false, &shared};
  struct few_metric_value v;
  assert_ok(f->ctx, test_metric_def(name)->run(&v, f->ctx, &in));
  return v;
}

static void test_known_scores(void **state) {
  struct fixture *f = *state;
  enum { ROWS = 60, CLS = 5 };
  float logits[ROWS * CLS];
  for (int i = 0; i < ROWS * CLS; i++) logits[i] = 3; /* no information: the score is 1 */
  few_eval_set *s = logit_set(f, FEW_NEED_LOGITS, ROWS, CLS, 1, logits, NULL, 7);
  assert_close(score(f, s, "is").value, 1, ROWS * log(CLS) * DBL_EPSILON); /* a sum of ROWS */
  few__eval_set_free(s);
  /* certain, and all classes equally often: the score is the number of classes */
  for (int i = 0; i < ROWS * CLS; i++) logits[i] = i % CLS == i / CLS % CLS ? 2000.0F : -2000.0F;
  s = logit_set(f, FEW_NEED_LOGITS, ROWS, CLS, 1, logits, NULL, 60);
  assert_close(score(f, s, "is").value, CLS, ROWS * CLS * DBL_EPSILON);
  few__eval_set_free(s);
}

static void test_golden_score(void **state) {
  struct fixture *f = *state;
  static float logits[N * CLASSES];
  formula_rows(N, CLASSES, 1, logits);
  for (int i = 0; i < N * CLASSES; i++) logits[i] *= 8;
  few_eval_set *s = logit_set(f, FEW_NEED_LOGITS, N, CLASSES, 1, logits, NULL, 13);
  struct few_metric_value v = score(f, s, "is");
  assert_close(v.value, golden_is, 200 * DBL_EPSILON * golden_is);
  assert_true(isnan(v.error));
  few__eval_set_free(s);
  for (int i = 0; i < N * CLASSES; i++)
    logits[i] += 16; /* softmax is invariant under a common shift */
  s = logit_set(f, FEW_NEED_LOGITS, N, CLASSES, 1, logits, NULL, N);
  assert_close(score(f, s, "is").value, golden_is, 200 * DBL_EPSILON * golden_is);
  few__eval_set_free(s);
}

/* Splits divide the set into parts whose sizes differ by at most one. For a set sorted by class,
 * each part has several classes. */
static void test_splits(void **state) {
  struct fixture *f = *state;
  enum { ROWS = 103, CLS = 4, SPLITS = 10 };
  static float logits[ROWS * CLS];
  double total[CLS] = {0};
  for (int i = 0; i < ROWS * CLS; i++) logits[i] = i % CLS == i / CLS * CLS / ROWS ? 50.0F : 0.0F;
  few_eval_set *s = logit_set(f, FEW_NEED_LOGITS, ROWS, CLS, SPLITS, logits, NULL, 5);
  for (int k = 0; k < SPLITS; k++) {
    assert_true(s->split[k].n == ROWS / SPLITS || s->split[k].n == ROWS / SPLITS + 1);
    int several = 0;
    for (int c = 0; c < CLS; c++) {
      several += s->split[k].p[c] > 0.5;
      total[c] += s->split[k].p[c];
    }
    assert_true(several > 1);
  }
  for (int c = 0; c < CLS; c++) assert_close(total[c], c < 3 ? 26 : 25, 1e-12);
  struct few_metric_value v = score(f, s, "is");
  assert_string_equal(v.error_of, "splits");
  assert_true(v.error > 0);
  few__eval_set_free(s);
}

static void test_agreement(void **state) {
  struct fixture *f = *state;
  const float logits[] = {0, 1, 2, 5, 1, 2, 0, 3, 2, 0, 3, 2};
  const int32_t labels[] = {2, 0, 0, -1};
  few_eval_set *s = logit_set(f, FEW_NEED_LABELS, 4, 3, 1, logits, labels, 3);
  struct few_metric_value v = score(f, s, "agreement");
  assert_close(v.value, 2.0 / 3, DBL_EPSILON);
  assert_close(v.error, sqrt(2.0 / 27), DBL_EPSILON);
  assert_int_equal(v.n, 3); /* one has no label */
  few__eval_set_free(s);
}

/* `keep` of n rows are stored, each once. They are the same for any grouping, and not the first
 * ones.
 * */
static void test_kept(void **state) {
  struct fixture *f = *state;
  enum { ROWS = 100, KEEP = 13 };
  float x[ROWS], first = 0;
  for (int i = 0; i < ROWS; i++) x[i] = (float)i;
  double *before = NULL;
  for (int64_t group = 1; group <= ROWS; group += 33) {
    few_eval_set *s;
    struct few_eval_set_opts o = {
        .name = "rows", .needs = FEW_NEED_ROWS, .n = ROWS, .dim = 1, .keep = KEEP};
    assert_ok(f->ctx, few__eval_set_create(f->ctx, &s, f->w, &o));
    for (int64_t i = 0; i < ROWS; i += group)
      assert_ok(f->ctx,
                few__eval_set_add(s, ROWS - i < group ? ROWS - i : group, x + i, NULL, NULL, NULL));
    few__eval_set_end(s);
    assert_int_equal(s->kept, KEEP);
    size_t size = few__panels_size(KEEP, 1) * sizeof *before;
    if (before) assert_memory_equal(before, s->panels, size);
    free(before);
    before = memcpy(malloc(size), s->panels, size);
    few__eval_set_free(s);
  }
  for (int i = 0; i < KEEP; i++) {
    for (int j = 0; j < i; j++) assert_true(before[i] != before[j]);
    first = fmaxf(first, (float)before[i]);
  }
  assert_true(first > 2 * KEEP);
  free(before);
}

static void test_not_finite(void **state) {
  struct fixture *f = *state;
  float x[4 * 3] = {0};
  x[3 * 3 + 2] = NAN;
  few_eval_set *s;
  struct few_eval_set_opts o = {.name = "rows", .needs = FEW_NEED_MOMENTS, .n = 5, .dim = 3};
  assert_ok(f->ctx, few__eval_set_create(f->ctx, &s, f->w, &o));
  assert_ok(f->ctx, few__eval_set_add(s, 1, x, NULL, NULL, NULL));
  assert_int_equal(few__eval_set_add(s, 4, x, NULL, NULL, NULL), FEW_E_FORMAT);
  assert_non_null(strstr(few_error(f->ctx), "rows: feature 2 of image 4"));
  few__eval_set_free(s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_known_scores), cmocka_unit_test(test_golden_score),
      cmocka_unit_test(test_splits),       cmocka_unit_test(test_agreement),
      cmocka_unit_test(test_kept),         cmocka_unit_test(test_not_finite)};
  return cmocka_run_group_tests(tests, setup, teardown);
}
