/* test_ref_linear.c - matmul is compared with its definition. Convolutions are computed by hand and
 * checked by adjointness. */
#include "kernel_test.h"

/* Returns element (i, j) of matrix l of x, which is stored [.., rows, cols], or transposed if t. */
static double element(const double *x, int64_t l, int64_t rows, int64_t cols, bool t, int64_t i,
                      int64_t j) {
  return x[l * rows * cols + (t ? j * rows + i : i * cols + j)];
}

static struct few_shape matrix(int rank, int64_t rows, int64_t cols, bool t) {
  struct few_shape s = {rank, {0}};
  if (rank == 4) s.dim[0] = 2, s.dim[1] = 3;
  if (rank == 3) s.dim[0] = 2;
  s.dim[rank - 2] = t ? cols : rows;
  s.dim[rank - 1] = t ? rows : cols;
  return s;
}

static void check_matmul(int rank_a, int rank_b, bool ta, bool tb, int64_t M, int64_t N,
                         int64_t K) {
  struct op_call c = {FEW_OP_MATMUL, .n_in = 2, .attr.matmul = {ta, tb}};
  c.shape[0] = matrix(rank_a, M, K, ta);
  c.shape[1] = matrix(rank_b, K, N, tb);
  c.out = matrix(rank_a, M, N, false);
  double *a = random_array(1, count_of(c.shape[0])), *b = random_array(2, count_of(c.shape[1]));
  c.in[0] = a;
  c.in[1] = b;
  double *y = apply(&c);
  for (int64_t at = 0; at < count_of(c.out); at++) {
    const int64_t l = at / (M * N), i = at / N % M, j = at % N;
    double sum = 0, magnitude = 0;
    for (int64_t k = 0; k < K; k++) {
      const double term =
          element(a, l, M, K, ta, i, k) * element(b, rank_b == rank_a ? l : 0, K, N, tb, k, j);
      sum += term;
      magnitude += fabs(term);
    }
    assert_close(y[at], sum, (double)K * DBL_EPSILON * magnitude);
  }
  check_f32_linear(&c, y, (double)K);
  free(a), free(b), free(y);
}

static void test_matmul(void **state) {
  (void)state;
  const int64_t size[][3] = {{1, 1, 1}, {1, 7, 3}, {5, 1, 4}, {3, 4, 1}, {17, 9, 33}};
  for (int s = 0; s < FEW_COUNT(size); s++)
    for (int rank = 2; rank <= 4; rank++)
      for (int t = 0; t < 4; t++) {
        const int64_t *d = size[s];
        check_matmul(rank, rank, t & 1, t & 2, d[0], d[1], d[2]);
        if (!(t & 1)) check_matmul(rank, 2, false, t & 2, d[0], d[1], d[2]);
      }
}

/* 3x3 image and 3x3 kernel: cross-correlation, not convolution, and zeros outside. */
static void test_conv_by_hand(void **state) {
  (void)state;
  const double x[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9}, w[9] = {0, 1, 0, 2, 3, 4, 0, 5, 0};
  struct op_call c = {FEW_OP_CONV, .n_in = 2, .in = {x, w}, .attr.conv = {.stride = 1, .pad = 1}};
  c.out = c.shape[0] = FEW_SHAPE(1, 3, 3, 1);
  c.shape[1] = FEW_SHAPE(3, 3, 1, 1);
  const double want[9] = {
      3 * 1 + 4 * 2 + 5 * 4,
      2 * 1 + 3 * 2 + 4 * 3 + 5 * 5,
      2 * 2 + 3 * 3 + 5 * 6,
      1 * 1 + 3 * 4 + 4 * 5 + 5 * 7,
      1 * 2 + 2 * 4 + 3 * 5 + 4 * 6 + 5 * 8,
      1 * 3 + 2 * 5 + 3 * 6 + 5 * 9,
      1 * 4 + 3 * 7 + 4 * 8,
      1 * 5 + 2 * 7 + 3 * 8 + 4 * 9,
      1 * 6 + 2 * 8 + 3 * 9,
  };
  double *y = apply(&c);
  for (int k = 0; k < 9; k++) assert_true(y[k] == want[k]);
  free(y);
}

/* A 1x1 kernel mixes channels pixel by pixel: HWIO order. */
static void test_conv_channels(void **state) {
  (void)state;
  const double x[4] = {1, 10, 2, 20}, w[6] = {1, 2, 3, 4, 5, 6};
  struct op_call c = {FEW_OP_CONV, .n_in = 2, .in = {x, w}, .attr.conv = {.stride = 1, .pad = 0}};
  c.out = FEW_SHAPE(1, 1, 2, 3);
  c.shape[0] = FEW_SHAPE(1, 1, 2, 2);
  c.shape[1] = FEW_SHAPE(1, 1, 2, 3);
  const double want[6] = {41, 52, 63, 82, 104, 126};
  double *y = apply(&c);
  for (int k = 0; k < 6; k++) assert_true(y[k] == want[k]);
  free(y);
}

/* <conv(x, w), dy> = <x, conv_dx(dy, w)> = <w, conv_dw(x, dy)> */
static void check_conv_adjoint(int k, int stride, int pad, int64_t h, int64_t wd) {
  const struct few_shape x = FEW_SHAPE(2, h, wd, 3), w = FEW_SHAPE(k, k, 3, 5);
  const struct few_shape y =
      FEW_SHAPE(2, (h + 2 * pad - k) / stride + 1, (wd + 2 * pad - k) / stride + 1, 5);
  double *a = random_array(1, count_of(x)), *b = random_array(2, count_of(w)),
         *d = random_array(3, count_of(y));
  const struct op_call conv = {
      FEW_OP_CONV, {.conv = {stride, pad, 0, 0}}, y, 2, {x, w}, {a, b}, NULL, {0}};
  const struct op_call dx = {
      FEW_OP_CONV_DX, {.conv = {stride, pad, h, wd}}, x, 2, {y, w}, {d, b}, NULL, {0}};
  const struct op_call dw = {
      FEW_OP_CONV_DW, {.conv = {stride, pad, k, k}}, w, 2, {x, y}, {a, d}, NULL, {0}};
  double *cy = apply(&conv), *cx = apply(&dx), *cw = apply(&dw);
  const double s = inner(cy, d, count_of(y)), tol = 1e-12 * inner_abs(cy, d, count_of(y));
  assert_close(inner(a, cx, count_of(x)), s, tol);
  assert_close(inner(b, cw, count_of(w)), s, tol);
  check_f32_linear(&conv, cy, (double)(k * k * 3));
  check_f32_linear(&dx, cx, (double)(k * k * 5));
  check_f32_linear(&dw, cw, (double)(count_of(y) / 5));
  free(a), free(b), free(d), free(cy), free(cx), free(cw);
}

static void test_conv_adjoint(void **state) {
  (void)state;
  const int64_t size[][2] = {{1, 1}, {3, 3}, {4, 5}, {7, 6}, {9, 11}};
  for (int s = 0; s < FEW_COUNT(size); s++)
    for (int k = 1; k <= 4; k++)
      for (int stride = 1; stride <= 2; stride++)
        for (int pad = 0; pad <= 1; pad++)
          if (k <= size[s][0] + 2 * pad && k <= size[s][1] + 2 * pad)
            check_conv_adjoint(k, stride, pad, size[s][0], size[s][1]);
}

static struct op_call resample(few_op op, struct few_shape in, struct few_shape out, int n,
                               const double *taps, const double *x) {
  struct op_call c = {op,       .attr.resample = {.n = n}, .out = out, .n_in = 1, .shape = {in},
                      .in = {x}};
  for (int k = 0; k < n; k++) c.attr.resample.tap[k] = taps[k];
  return c;
}

static const double box[] = {0.5, 0.5}, tent[] = {0.125, 0.375, 0.375, 0.125},
                    six[] = {0.0625, 0.0625, 0.25, 0.375, 0.125, 0.125}; /* not symmetric */
static const struct {
  int n;
  const double *taps;
} filters[] = {{2, box}, {4, tent}, {6, six}};

/* <up(x), y> = 4 <x, down(y)> */
static void test_resample_adjoint(void **state) {
  (void)state;
  const struct few_shape small[] = {FEW_SHAPE(1, 1, 1, 1), FEW_SHAPE(2, 3, 2, 5)};
  for (int s = 0; s < FEW_COUNT(small); s++)
    for (int f = 0; f < FEW_COUNT(filters); f++) {
      struct few_shape large = small[s];
      large.dim[1] *= 2, large.dim[2] *= 2;
      const int n = filters[f].n;
      double *x = random_array(1, count_of(small[s])), *y = random_array(2, count_of(large));
      const struct op_call up = resample(FEW_OP_UP, small[s], large, n, filters[f].taps, x);
      const struct op_call down = resample(FEW_OP_DOWN, large, small[s], n, filters[f].taps, y);
      double *ux = apply(&up), *dy = apply(&down);
      assert_close(inner(ux, y, count_of(large)), 4 * inner(x, dy, count_of(small[s])),
                   1e-12 * inner_abs(ux, y, count_of(large)));
      check_f32_linear(&up, ux, n * n + 1);
      check_f32_linear(&down, dy, n * n + 1);
      free(x), free(y), free(ux), free(dy);
    }
}

static void test_resample_by_hand(void **state) {
  (void)state;
  const double x[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  /* Nearest neighbour, then the 2x2 mean, gives x back: two rows of two pixels of two channels. */
  const struct few_shape small = FEW_SHAPE(1, 2, 2, 2), large = FEW_SHAPE(1, 4, 4, 2);
  const struct op_call up = resample(FEW_OP_UP, small, large, 2, box, x);
  double *y = apply(&up);
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < 4; j++)
      for (int c = 0; c < 2; c++)
        assert_true(y[(i * 4 + j) * 2 + c] == x[((i / 2) * 2 + j / 2) * 2 + c]);
  const struct op_call down = resample(FEW_OP_DOWN, large, small, 2, box, y);
  double *z = apply(&down);
  for (int k = 0; k < 8; k++) assert_true(z[k] == x[k]);
  /* The filter [1,3,3,1] on ones, in two rows. Weights outside the image are lost, in both
   * directions. */
  const double ones[8] = {1, 1, 1, 1, 1, 1, 1, 1};
  const struct op_call edge =
      resample(FEW_OP_DOWN, FEW_SHAPE(1, 2, 4, 1), FEW_SHAPE(1, 1, 2, 1), 4, tent, ones);
  double *e = apply(&edge);
  assert_true(e[0] == 0.75 * 0.875 && e[1] == 0.75 * 0.875);
  free(y), free(z), free(e);
}

/* The position of each tap: an asymmetric filter on a unit impulse. */
static void test_down_taps(void **state) {
  (void)state;
  for (int at = 0; at < 8; at++) {
    double x[16] = {0};
    x[at] = 1; /* row 0 of [1,2,8,1] */
    const struct op_call c =
        resample(FEW_OP_DOWN, FEW_SHAPE(1, 2, 8, 1), FEW_SHAPE(1, 1, 4, 1), 6, six, x);
    double *y = apply(&c);
    for (int j = 0; j < 4; j++) {
      const int b = at - 2 * j + 2; /* 2 j + b - (6/2 - 1) = at */
      assert_true(y[j] == six[2] * (b >= 0 && b < 6 ? six[b] : 0));
    }
    free(y);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_matmul),           cmocka_unit_test(test_conv_by_hand),
      cmocka_unit_test(test_conv_channels),    cmocka_unit_test(test_conv_adjoint),
      cmocka_unit_test(test_resample_adjoint), cmocka_unit_test(test_resample_by_hand),
      cmocka_unit_test(test_down_taps),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
