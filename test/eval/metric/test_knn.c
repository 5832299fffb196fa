/* Precision, recall, density and coverage are compared with plain loops, with known values on
 * intervals, and with the package prdc. */
#include "eval/metric/gram.h"
#include "golden.h"
#include "sets.h"

static double square_distance(const float *x, const float *y, int64_t d) {
  double sum = 0;
  for (int64_t k = 0; k < d; k++) {
    double delta = (double)x[k] - (double)y[k];
    sum += delta * delta;
  }
  return sum;
}

static int ascending(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double radius(const float *x, int64_t n, int64_t d, int64_t i, int k) {
  double *all = malloc((size_t)n * sizeof *all);
  int64_t m = 0;
  for (int64_t j = 0; j < n; j++)
    if (j != i) all[m++] = square_distance(x + i * d, x + j * d, d);
  qsort(all, (size_t)m, sizeof *all, ascending);
  double r = all[k - 1];
  free(all);
  return r;
}

static bool inside(double x, double r, bool closed) { return closed ? x <= r : x < r; }

static struct few_knn_result plain(const float *real, int64_t n, const float *fake, int64_t m,
                                   int64_t d, struct few_knn_rule rule) {
  struct few_knn_result out = {0};
  char *hit = calloc((size_t)m, 1);
  double *fake_radius = malloc((size_t)m * sizeof *fake_radius);
  for (int64_t j = 0; j < m; j++) fake_radius[j] = radius(fake, m, d, j, rule.k);
  for (int64_t i = 0; i < n; i++) {
    double r = radius(real, n, d, i, rule.k);
    bool recalled = false, covered = false;
    for (int64_t j = 0; j < m; j++) {
      double x = square_distance(real + i * d, fake + j * d, d);
      bool in = inside(x, r, rule.closed);
      hit[j] |= (char)in;
      covered |= in;
      out.density += in;
      recalled |= inside(x, fake_radius[j], rule.closed);
    }
    out.recall += recalled;
    out.coverage += covered;
  }
  for (int64_t j = 0; j < m; j++) out.precision += hit[j];
  out.precision /= (double)m;
  out.recall /= (double)n;
  out.coverage /= (double)n;
  out.density /= (double)(rule.k * m);
  free(fake_radius);
  free(hit);
  return out;
}

static double *panels(int64_t n, int64_t d, const float *x) {
  double *p = calloc((size_t)(few__panels(n) * FEW_PANEL * d), sizeof *p);
  for (int64_t i = 0; i < n; i++)
    for (int64_t k = 0; k < d; k++)
      p[i / FEW_PANEL * FEW_PANEL * d + k * FEW_PANEL + i % FEW_PANEL] = (double)x[i * d + k];
  return p;
}

static void knn_of(few_ctx *ctx, int workers, const float *real, int64_t n, const float *fake,
                   int64_t m, int64_t d, const struct few_knn_rule rule[FEW_KNN_RULES],
                   struct few_knn_result out[FEW_KNN_RULES]) {
  few_workers *w = test_workers(ctx, workers);
  double *a = panels(n, d, real), *b = panels(m, d, fake);
  struct few_knn_job job = {.w = w,
                            .d = d,
                            .n_real = n,
                            .n_fake = m,
                            .real = a,
                            .fake = b,
                            .rules = FEW_KNN_RULES,
                            .rule = {rule[0], rule[1]}};
  assert_ok(ctx, few__knn(ctx, &job, out));
  few__workers_free(w);
  free(a);
  free(b);
}

static void assert_same(struct few_knn_result a, struct few_knn_result b) {
  assert_true(a.precision == b.precision && a.recall == b.recall);
  assert_true(a.density == b.density && a.coverage == b.coverage);
}

/* Rows on a coarse grid, so that many distances are equal and the boundary of balls matters. All
 * sums are exact, so results are equal to the bit. Sizes cross panels of 8 and strips of 256. */
static void test_plain_loops(void **state) {
  (void)state;
  static float x[300 * 3], y[300 * 3];
  few_ctx *ctx = test_ctx();
  const int64_t sizes[][2] = {{7, 9}, {8, 8}, {23, 40}, {40, 23}, {270, 33}, {33, 270}};
  const struct few_knn_rule rule[] = {{3, true}, {5, false}};
  double apart = 0;
  for (int s = 0; s < 6; s++)
    for (int64_t d = 1; d <= 3; d++) {
      const int64_t n = sizes[s][0], m = sizes[s][1];
      struct few_knn_result one[2], three[2];
      normal_rows(n, d, 1, x);
      normal_rows(m, d, 2, y);
      for (int64_t i = 0; i < n * d; i++) x[i] = rintf(4 * x[i]);
      for (int64_t i = 0; i < m * d; i++) y[i] = rintf(4 * y[i]) + 2;
      knn_of(ctx, 1, x, n, y, m, d, rule, one);
      knn_of(ctx, 3, x, n, y, m, d, rule, three);
      for (int r = 0; r < 2; r++) {
        assert_same(one[r], plain(x, n, y, m, d, rule[r]));
        assert_same(one[r], three[r]);
      }
      struct few_knn_rule open = {3, false};
      apart += one[0].precision - plain(x, n, y, m, d, open).precision;
    }
  assert_true(apart > 0); /* some distances equal a radius */
  few_ctx_free(ctx);
}

/* Real rows are at 0, 1 .. 99, samples at 50.5 .. 149.5; balls are closed with k = 3. A real ball
 * has radius 2, or 3 at the two ends. That of 99 reaches to 102, so the samples 50.5 .. 101.5 are
 * in a real ball: 52 of 100. In the same way the real rows 48 .. 99 are in a ball of a sample. */
static void test_intervals(void **state) {
  (void)state;
  float x[100], y[100];
  few_ctx *ctx = test_ctx();
  const struct few_knn_rule rule[] = {{3, true}, {5, false}};
  struct few_knn_result r[2];
  for (int i = 0; i < 100; i++) {
    x[i] = (float)i;
    y[i] = (float)i + 50.5F;
  }
  knn_of(ctx, 2, x, 100, y, 100, 1, rule, r);
  assert_true(r[0].precision == 0.52 && r[0].recall == 0.52);
  /* k = 5 open: radius 3 inside, 4 next to the end, 5 at it; 99's holds 94.5 .. 103.5. Balls with a
   * sample: from the first i with i + 3 > 50.5, which is 48. Samples in a ball: 6 of those inside
   */
  assert_true(r[1].coverage == 0.52);
  struct few_knn_result want = plain(x, 100, y, 100, 1, rule[1]);
  assert_true(r[1].density == want.density);
  few_ctx_free(ctx);
}

/* Copies have a distance of exactly zero. With k copies the ball has radius 0: its centre is in the
 * closed ball but not in the open one. */
static void test_copies(void **state) {
  (void)state;
  enum { COPIES = 6, OWN = 20, DIM = 300 };
  static float x[COPIES * OWN * DIM], y[OWN * DIM];
  few_ctx *ctx = test_ctx();
  const struct few_knn_rule rule[] = {{5, true}, {5, false}};
  struct few_knn_result r[2];
  normal_rows(OWN, DIM, 3, y);
  for (int i = 0; i < COPIES * OWN; i++) memcpy(x + i * DIM, y + i % OWN * DIM, DIM * sizeof *x);
  knn_of(ctx, 2, x, COPIES * OWN, y, OWN, DIM, rule, r);
  assert_true(r[0].precision == 1 && r[0].coverage == 1);
  assert_true(r[1].precision == 0 && r[1].coverage == 0);
  few_ctx_free(ctx);
}

/* Two sets of one distribution have density 1 and coverage 1 - 2^-k: with probability 2^-k the k
 * nearest rows in the union of both sets all are of the row's own set. */
static void test_one_distribution(void **state) {
  (void)state;
  enum { ROWS = 1000, SETS = 4 };
  static float x[ROWS * 2], y[ROWS * 2];
  few_ctx *ctx = test_ctx();
  const struct few_knn_rule rule[] = {{2, false}, {4, false}};
  double density[SETS], coverage[2][SETS], mean, error;
  for (int s = 0; s < SETS; s++) {
    struct few_knn_result r[2];
    normal_rows(ROWS, 2, (uint64_t)(2 * s), x);
    normal_rows(ROWS, 2, (uint64_t)(2 * s + 1), y);
    knn_of(ctx, 2, x, ROWS, y, ROWS, 2, rule, r);
    density[s] = r[1].density;
    for (int k = 0; k < 2; k++) coverage[k][s] = r[k].coverage;
  }
  few__metric_spread(SETS, density, &mean, &error);
  assert_close(mean, 1, 5 * error / sqrt(SETS));
  for (int k = 0; k < 2; k++) {
    /* rows share neighbours, so the error is a few times that of a binomial distribution */
    const double p = k ? 15.0 / 16 : 3.0 / 4;
    few__metric_spread(SETS, coverage[k], &mean, &error);
    assert_close(mean, p, 5 * 2 * sqrt(p * (1 - p) / (SETS * ROWS)));
  }
  few_ctx_free(ctx);
}

static void test_golden(void **state) {
  (void)state;
  static float x[N * D], y[M * D];
  few_ctx *ctx = test_ctx();
  few_workers *w = test_workers(ctx, 2);
  struct few_metric_opts o = {.k = 5, .ball = FEW_BALL_OPEN};
  struct few_metric_value v[2];
  formula_rows(N, D, 1, x);
  formula_rows(M, D, 2, y);
  assert_ok(ctx, test_metric(ctx, w, "pr", &o, M, y, N, x, D, v));
  assert_close(v[0].value, golden_precision, 1e-15);
  assert_close(v[1].value, golden_recall, 1e-15);
  assert_ok(ctx, test_metric(ctx, w, "dc", &o, M, y, N, x, D, v));
  assert_close(v[0].value, golden_density, 1e-15);
  assert_close(v[1].value, golden_coverage, 1e-15);
  assert_string_equal(v[1].how, "k 5, open balls");
  few__workers_free(w);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_plain_loops), cmocka_unit_test(test_intervals),
      cmocka_unit_test(test_copies), cmocka_unit_test(test_one_distribution),
      cmocka_unit_test(test_golden)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
