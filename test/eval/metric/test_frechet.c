/* Known Frechet distances: closed forms, invariances, and values of pytorch-fid. */
#include <float.h>

#include "eval/metric/frechet.h"
#include "golden.h"
#include "sets.h"

struct fixture {
  few_ctx *ctx;
  few_workers *w;
};
static int setup(void **state) {
  static struct fixture f;
  f.ctx = test_ctx();
  f.w = test_workers(f.ctx, 2);
  *state = &f;
  return 0;
}
static int teardown(void **state) {
  struct fixture *f = *state;
  few__workers_free(f->w);
  few_ctx_free(f->ctx);
  return 0;
}

/* Computes the distance of copies of the covariances, which the library overwrites. */
static struct few_frechet distance(struct fixture *f, int64_t d, const double *mean_a,
                                   const double *a, const double *mean_b, const double *b) {
  struct few_frechet out;
  size_t size = (size_t)(d * d) * sizeof *a;
  double *ca = memcpy(malloc(size), a, size), *cb = memcpy(malloc(size), b, size);
  assert_ok(f->ctx, few__frechet_of(f->ctx, f->w, d, mean_a, ca, mean_b, cb, &out));
  free(ca);
  free(cb);
  return out;
}

/* out = x^T x of x [r][d]: positive semidefinite of rank r. */
static void square(int64_t r, int64_t d, const float *x, double *out) {
  for (int64_t i = 0; i < d; i++)
    for (int64_t j = 0; j < d; j++) {
      out[i * d + j] = 0;
      for (int64_t k = 0; k < r; k++) out[i * d + j] += (double)x[k * d + i] * (double)x[k * d + j];
    }
}

/* For 2 x 2: tr M^(1/2) = sqrt(tr M + 2 sqrt(det M)), for any M with positive eigenvalues. */
static void test_two_dimensions(void **state) {
  struct fixture *f = *state;
  const double mean_a[] = {1, 2}, mean_b[] = {-1, 5};
  for (uint64_t seed = 0; seed < 20; seed++) {
    float x[4], y[4];
    double a[4], b[4];
    normal_rows(2, 2, 2 * seed, x);
    normal_rows(2, 2, 2 * seed + 1, y);
    square(2, 2, x, a);
    square(2, 2, y, b);
    double trace = a[0] * b[0] + 2 * a[1] * b[1] + a[3] * b[3];
    double det = (a[0] * a[3] - a[1] * a[1]) * (b[0] * b[3] - b[1] * b[1]);
    double scale = a[0] + a[3] + b[0] + b[3];
    double want = 4 + 9 + scale - 2 * sqrt(trace + 2 * sqrt(det));
    struct few_frechet got = distance(f, 2, mean_a, a, mean_b, b);
    assert_close(got.distance, want, 64 * DBL_EPSILON * (13 + scale));
    assert_close(got.mean_part, 13, 0);
    assert_int_equal(got.rank[0], 2);
  }
}

/* Diagonal covariances commute: sum (sqrt a_i - sqrt b_i)^2. */
static void test_diagonal(void **state) {
  struct fixture *f = *state;
  enum { D9 = 9 };
  double a[D9 * D9] = {0}, b[D9 * D9] = {0}, zero[D9] = {0}, want = 0, trace = 0;
  for (int i = 0; i < D9; i++) {
    a[i * D9 + i] = (double)(i * i);
    b[i * D9 + i] = (double)((8 - i) * (8 - i));
    want += (i - (8 - i)) * (i - (8 - i));
    trace += a[i * D9 + i] + b[i * D9 + i];
  }
  struct few_frechet got = distance(f, D9, zero, a, zero, b);
  assert_close(got.distance, want, 64 * DBL_EPSILON * trace);
  assert_int_equal(got.rank[0], 8); /* 0^2 is on either diagonal */
  assert_int_equal(got.rank[1], 8);
}

/* Covariances of rank one: tr (x x^T y y^T)^(1/2) = |<x, y>|. 59 eigenvalues are zero. An error of
 * 1e-16 in such an eigenvalue would be an error of 1e-8 in its root. */
static void test_singular(void **state) {
  struct fixture *f = *state;
  enum { D60 = 60 };
  static float x[D60], y[D60];
  static double a[D60 * D60], b[D60 * D60], zero[D60];
  normal_rows(1, D60, 1, x);
  normal_rows(1, D60, 2, y);
  square(1, D60, x, a);
  square(1, D60, y, b);
  double xx = 0, yy = 0, xy = 0;
  for (int i = 0; i < D60; i++) {
    xx += (double)x[i] * (double)x[i];
    yy += (double)y[i] * (double)y[i];
    xy += (double)x[i] * (double)y[i];
  }
  struct few_frechet got = distance(f, D60, zero, a, zero, b);
  assert_close(got.distance, xx + yy - 2 * fabs(xy), 64 * DBL_EPSILON * (xx + yy));
  assert_int_equal(got.rank[0], 1);
  assert_int_equal(got.rank[1], 1);
  static double none[D60 * D60]; /* the covariance of equal images */
  got = distance(f, D60, zero, a, zero, none);
  assert_close(got.distance, xx, 64 * DBL_EPSILON * xx);
  assert_int_equal(got.rank[1], 0);
}

static void test_same_and_turned(void **state) {
  struct fixture *f = *state;
  enum { D20 = 20, R = 31 };
  static float x[R * D20], y[R * D20], u[D20];
  static double a[D20 * D20], b[D20 * D20], ta[D20 * D20], tb[D20 * D20], q[D20 * D20];
  double mean_a[D20], mean_b[D20] = {0}, turned[D20] = {0}, norm = 0, trace = 0;
  normal_rows(R, D20, 3, x);
  normal_rows(R, D20, 4, y);
  normal_rows(1, D20, 5, u);
  square(R, D20, x, a);
  square(R, D20, y, b);
  for (int i = 0; i < D20; i++) {
    mean_a[i] = i;
    norm += (double)u[i] * (double)u[i];
    trace += a[i * D20 + i] + b[i * D20 + i];
  }
  assert_close(distance(f, D20, mean_a, a, mean_a, a).distance, 0, 200 * DBL_EPSILON * trace);
  /* a reflection: q = 1 - 2 u u^T / |u|^2 */
  for (int i = 0; i < D20; i++)
    for (int j = 0; j < D20; j++)
      q[i * D20 + j] = (i == j) - 2 * (double)u[i] * (double)u[j] / norm;
  for (int i = 0; i < D20; i++)
    for (int j = 0; j < D20; j++) {
      turned[i] += q[i * D20 + j] * mean_a[j];
      for (int k = 0; k < D20; k++)
        for (int l = 0; l < D20; l++) {
          double w = q[i * D20 + k] * q[j * D20 + l];
          ta[i * D20 + j] += w * a[k * D20 + l];
          tb[i * D20 + j] += w * b[k * D20 + l];
        }
    }
  double plain = distance(f, D20, mean_a, a, mean_b, b).distance;
  assert_true(plain > 1);
  assert_close(distance(f, D20, turned, ta, mean_b, tb).distance, plain,
               2000 * DBL_EPSILON * (trace + plain));
  assert_close(distance(f, D20, mean_b, b, mean_a, a).distance, plain,
               200 * DBL_EPSILON * (trace + plain));
}

/* scipy's square root of a product with a condition number of about 1e3 has 12 exact digits. */
static void test_golden(void **state) {
  struct fixture *f = *state;
  static float x[N * D], y[M * D];
  struct few_metric_opts o = {0};
  struct few_metric_value v;
  formula_rows(N, D, 1, x);
  formula_rows(M, D, 2, y);
  assert_ok(f->ctx, test_metric(f->ctx, f->w, "fid", &o, N, x, M, y, D, &v));
  assert_close(v.value, golden_fd, 1e-12 * 2 * D);
  assert_string_equal(v.name, "fd");
  assert_int_equal(v.n, N);
  assert_int_equal(v.n_ref, M);
  assert_true(isnan(v.error));
}

static void count_warning(void *user, few_log_level level, const char *message) {
  *(int *)user += level == FEW_LOG_WARN && strstr(message, "singular covariance (rank 9)");
}

/* With fewer rows than dimensions the distance is exact, and there is a warning. A set of 10 rows
 * and the same set shifted have equal covariances, so the distance is that of the shift. */
static void test_few_rows(void **state) {
  (void)state;
  enum { ROWS = 10, D40 = 40 };
  static float x[ROWS * D40], y[ROWS * D40];
  int warnings = 0;
  struct few_ctx_opts opts = FEW_CTX_OPTS_INIT;
  opts.user = &warnings;
  opts.log = count_warning;
  few_ctx *ctx;
  assert_int_equal(few_ctx_create(&ctx, &opts), FEW_OK);
  few_workers *w = test_workers(ctx, 1);
  struct few_metric_opts o = {0};
  struct few_metric_value v;
  formula_rows(ROWS, D40, 1, x);
  for (int i = 0; i < ROWS * D40; i++) y[i] = x[i] + 0.5F; /* exact */
  assert_ok(ctx, test_metric(ctx, w, "fd", &o, ROWS, x, ROWS, y, D40, &v));
  assert_close(v.value, D40 * 0.25, 200 * DBL_EPSILON * D40);
  assert_int_equal(warnings, 2);
  few__workers_free(w);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_two_dimensions), cmocka_unit_test(test_diagonal),
      cmocka_unit_test(test_singular),       cmocka_unit_test(test_same_and_turned),
      cmocka_unit_test(test_golden),         cmocka_unit_test(test_few_rows)};
  return cmocka_run_group_tests(tests, setup, teardown);
}
