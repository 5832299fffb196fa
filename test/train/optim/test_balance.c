/* Balancers are compared with closed forms for two losses, and with the conditions of optimality
 * for more losses. */
#include "base/workers.h"
#include "testing.h"
#include "train/optim/balance.h"

enum { N = 3, DIM = 5 };
static const double given[N] = {1, 0.5, 2};

static const struct few_balancer *find(const char *name) {
  few_ctx *ctx = test_ctx();
  const struct few_balancer *b;
  assert_ok(ctx, few__balancer_find(ctx, &b, name));
  few_ctx_free(ctx);
  return b;
}

/* The gradients of case k: some agree, some conflict. */
static void make_vectors(int k, double v[N][DIM]) {
  for (int i = 0; i < N; i++)
    for (int d = 0; d < DIM; d++) v[i][d] = sin(1.7 * k + 3.1 * i + 2.3 * d * (i + 1)) * (1 + i);
}

static double dot(const double *a, const double *b) {
  double sum = 0;
  for (int d = 0; d < DIM; d++) sum += a[d] * b[d];
  return sum;
}

static void weigh(const char *name, int n, double v[N][DIM], double *factor, double *u) {
  double gram[N * N];
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++) gram[i * n + j] = dot(v[i], v[j]);
  find(name)->weigh(n, gram, given, factor);
  for (int d = 0; d < DIM; d++) {
    u[d] = 0;
    for (int i = 0; i < n; i++) u[d] += factor[i] * v[i][d];
  }
}

static void test_gradnorm(void **state) {
  (void)state;
  double v[N][DIM], a[N], b[N], u[DIM];
  make_vectors(1, v);
  weigh("gradnorm", N, v, a, u);
  for (int i = 1; i < N; i++) /* each loss contributes in proportion to its weight */
    assert_close(a[i] * sqrt(dot(v[i], v[i])) / (a[0] * sqrt(dot(v[0], v[0]))), given[i] / given[0],
                 1e-12);
  for (int d = 0; d < DIM; d++)
    v[1][d] *= 10; /* the scale of a loss does not affect the direction */
  double w[DIM];
  weigh("gradnorm", N, v, b, w);
  assert_close(dot(u, w) / sqrt(dot(u, u) * dot(w, w)), 1, 1e-12);
}

static void test_minnorm_of_two(void **state) {
  (void)state;
  for (int k = 0; k < 20; k++) {
    double v[N][DIM], a[N], u[DIM], g[2][DIM], diff[DIM];
    make_vectors(k, v);
    weigh("minnorm", 2, v, a, u);
    for (int i = 0; i < 2; i++)
      for (int d = 0; d < DIM; d++) g[i][d] = given[i] * v[i][d];
    for (int d = 0; d < DIM; d++) diff[d] = g[1][d] - g[0][d];
    double alpha = fmin(1, fmax(0, dot(diff, g[1]) / dot(diff, diff)));
    assert_close(a[0], alpha * given[0], 1e-9);
    assert_close(a[1], (1 - alpha) * given[1], 1e-9);
  }
}

/* <g_i, u> >= |u|^2 for all i, with equality where a_i > 0. The error of Frank-Wolfe is of order
 * 1/steps. */
static void test_minnorm_of_three(void **state) {
  (void)state;
  for (int k = 0; k < 20; k++) {
    double v[N][DIM], a[N], u[DIM];
    make_vectors(k, v);
    weigh("minnorm", N, v, a, u);
    const double uu = dot(u, u), scale = 6 * dot(v[2], v[2]);
    for (int i = 0; i < N; i++) assert_true(given[i] * dot(v[i], u) >= uu - 4.0 / 200 * scale);
  }
}

static void test_primary(void **state) {
  (void)state;
  int conflicts = 0;
  for (int k = 0; k < 20; k++) {
    double v[N][DIM], a[N], u[DIM];
    make_vectors(k, v);
    weigh("primary", 2, v, a, u);
    const double against = dot(v[0], v[1]);
    assert_close(a[0], given[0], 0);
    assert_close(a[1], fmax(0, -against) / dot(v[1], v[1]), 1e-12);
    conflicts += against < 0;
    weigh("primary", N, v, a, u);
    for (int i = 1; i < N; i++) { /* no auxiliary loss rises, and only active ones are added */
      assert_true(dot(u, v[i]) >= -1e-10 * dot(v[i], v[i]));
      assert_true(a[i] >= 0);
      assert_close(a[i] * dot(u, v[i]), 0, 1e-9);
    }
  }
  assert_in_range(conflicts, 3, 17);
}

/* For arrays longer than a chunk, sums of products in f64 are the same for any number of
 * workers. */
static void test_combination(void **state) {
  (void)state;
  enum { LONG = 150000, SHARED = 140000 };
  few_ctx *ctx = test_ctx();
  float *g = calloc(2 * LONG, sizeof *g), *keep = calloc(2 * LONG, sizeof *keep);
  double factor[2], first[2];
  for (int i = 0; i < 2 * LONG; i++) keep[i] = (float)sin(0.37 * i);
  for (int workers = 1; workers <= 3; workers++) {
    few_workers *w;
    assert_ok(ctx, few__workers_create(ctx, &w, workers));
    memcpy(g, keep, 2 * LONG * sizeof *g);
    assert_ok(ctx, few__balance(ctx, w, find("gradnorm"), 2, LONG, SHARED, given, g, factor));
    if (workers == 1) memcpy(first, factor, sizeof first);
    assert_memory_equal(factor, first, sizeof first);
    for (int i = 0; i < LONG; i += 999) {
      const double *f = i < SHARED ? factor : given;
      assert_close(g[i], f[0] * (double)keep[i] + f[1] * (double)keep[LONG + i], 1e-6);
    }
    few__workers_free(w);
  }
  free(g);
  free(keep);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_gradnorm), cmocka_unit_test(test_minnorm_of_two),
      cmocka_unit_test(test_minnorm_of_three), cmocka_unit_test(test_primary),
      cmocka_unit_test(test_combination)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
