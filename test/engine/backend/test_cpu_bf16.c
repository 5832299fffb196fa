/* Products and convolutions of the CPU backend with factors and results in bf16, on every
 * instruction set: on matrix units, and the same kernels in plain C. Inputs are bf16 numbers, so
 * products are exact. Only sums are rounded, and results that are stored in bf16. */
#include "cpu_test.h"

static double *bf16_array(uint64_t stream, int64_t n) {
  double *x = random_array(stream, n);
  for (int64_t k = 0; k < n; k++) x[k] = (double)from_bf16(to_bf16((float)x[k]));
  return x;
}

/* Checks every way to store operands and result. The bound is that of `terms` sums in a chain. */
static void check(struct op_call c, int64_t terms) {
  double *x[2], *absolute[2];
  for (int i = 0; i < 2; i++) {
    const int64_t size = count_of(c.shape[i]);
    x[i] = bf16_array((uint64_t)(1 + i), size);
    absolute[i] = new_array(size);
    for (int64_t j = 0; j < size; j++) absolute[i][j] = fabs(x[i][j]);
    c.in[i] = absolute[i];
  }
  double *magnitude = apply(&c);
  for (int i = 0; i < 2; i++) c.in[i] = x[i];
  double *y = apply(&c);
  const int64_t n = count_of(c.out);
  FOR_EACH_ISA(isa) for (unsigned in = 0; in < 4; in++) for (int out = 0; out < 2; out++) {
    if (!in && !out) continue;
    double *z = apply_cpu_as(isa, &c, (struct stored){.in = in, .out = out});
    for (int64_t k = 0; k < n; k++) {
      const double bound =
          (double)(2 * terms + 1) * FLT_EPSILON * magnitude[k] + (out ? ldexp(fabs(y[k]), -8) : 0);
      if (!(fabs(z[k] - y[k]) <= bound))
        fail_msg(
            "op %d on %s, operands %u, result %d, element %lld of %lld: %.9g, not %.9g +- %.3g",
            (int)c.op, few__isa_name(isa), in, out, (long long)k, (long long)n, z[k], y[k], bound);
    }
    free(z);
  }
  for (int i = 0; i < 2; i++) {
    free(x[i]);
    free(absolute[i]);
  }
  free(y);
  free(magnitude);
}

/* ---- MATMUL ---- */

static const int64_t edges[] = {1, 2, 3, 7, 13, 14, 15, 16, 17, 31, 32, 33, 48, 64, 65, 113};

static void test_product_edges(void **state) {
  (void)state;
  for (int i = 0; i < 160; i++) {
    const int64_t m = edges[pick(1, 3 * i, FEW_COUNT(edges))];
    const int64_t n = edges[pick(1, 3 * i + 1, FEW_COUNT(edges))];
    const int64_t k = edges[pick(1, 3 * i + 2, FEW_COUNT(edges))];
    const int ta = i & 1, tb = i >> 1 & 1;
    check(matmul_call(1 + i % 3, m, n, k, ta, tb, !ta && (i >> 2 & 1)), k);
  }
}

static void test_product_blocks(void **state) {
  (void)state;
  for (int t = 0; t < 4; t++) {
    check(matmul_call(1, 29, 65, 1100, t & 1, t >> 1, false), 1100);
    check(matmul_call(1, 300, 40, 300, t & 1, t >> 1, false), 300);
  }
  check(matmul_call(3, 96, 40, 320, 0, 0, true), 320);
  check(matmul_call(3, 96, 40, 320, 0, 1, true), 320);
}

static void test_product_empty(void **state) {
  (void)state;
  check(matmul_call(1, 5, 7, 0, 0, 0, false), 0);
  check(matmul_call(1, 0, 7, 3, 0, 0, false), 3);
  check(matmul_call(1, 5, 0, 3, 1, 1, false), 3);
  check(matmul_call(0, 5, 4, 3, 0, 0, true), 3);
}

/* A row has the same bits in a product of few rows and in one of many. */
static void test_row_alone(void **state) {
  (void)state;
  enum { M = 37, N = 50, K = 300 };
  double *a = bf16_array(1, M * K), *b = bf16_array(2, K * N);
  struct op_call all = matmul_call(1, M, N, K, 0, 0, true),
                 one = matmul_call(1, 1, N, K, 0, 0, true);
  all.in[0] = a;
  all.in[1] = one.in[1] = b;
  FOR_EACH_ISA(isa) {
    double *y = apply_cpu_as(isa, &all, (struct stored){.in = 1});
    for (int64_t i = 0; i < M; i++) {
      one.in[0] = a + i * K;
      double *z = apply_cpu_as(isa, &one, (struct stored){.in = 1});
      assert_memory_equal(z, y + i * N, N * sizeof *z);
      free(z);
    }
    free(y);
  }
  free(a);
  free(b);
}

/* ---- Convolutions ---- */

struct layer {
  int64_t n, h, w, ci, co, k, stride, pad;
};

static void check_layer(struct layer l) {
  const int64_t oh = (l.h + 2 * l.pad - l.k) / l.stride + 1;
  const int64_t ow = (l.w + 2 * l.pad - l.k) / l.stride + 1;
  const struct few_shape x = FEW_SHAPE(l.n, l.h, l.w, l.ci), w = FEW_SHAPE(l.k, l.k, l.ci, l.co);
  const struct few_shape y = FEW_SHAPE(l.n, oh, ow, l.co);
  const struct op_call base = {.attr.conv = {(int)l.stride, (int)l.pad, 0, 0}, .n_in = 2};
  struct op_call c = base;
  c.op = FEW_OP_CONV, c.out = y, c.shape[0] = x, c.shape[1] = w;
  check(c, l.k * l.k * l.ci);
  c = base, c.op = FEW_OP_CONV_DX, c.out = x, c.shape[0] = y, c.shape[1] = w;
  check(c, l.k * l.k * l.co);
  c = base, c.op = FEW_OP_CONV_DW, c.out = w, c.shape[0] = x, c.shape[1] = y;
  check(c, l.n * oh * ow);
}

static void test_layers(void **state) {
  (void)state;
  static const int64_t kernels[][3] = {{1, 1, 0}, {1, 2, 0}, {2, 2, 0}, {3, 1, 0},
                                       {3, 1, 1}, {3, 1, 2}, {3, 2, 1}, {5, 1, 2},
                                       {4, 2, 1}, {2, 1, 1}, {2, 3, 0}, {1, 1, 1}};
  static const int64_t channels[][2] = {{8, 8}, {9, 33}, {32, 16}, {33, 40}, {3, 32}, {32, 1}};
  static const int64_t sizes[] = {7, 8, 5, 14};
  int i = 0;
  for (int k = 0; k < FEW_COUNT(kernels); k++)
    for (int c = 0; c < FEW_COUNT(channels); c++, i++)
      check_layer((struct layer){1 + i % 3, sizes[i % 4], sizes[i / 4 % 4], channels[c][0],
                                 channels[c][1], kernels[k][0], kernels[k][1], kernels[k][2]});
}

/* Several blocks of images, and of pixels for dw. */
static void test_blocks(void **state) {
  (void)state;
  check_layer((struct layer){3, 28, 28, 64, 32, 3, 1, 1});
  check_layer((struct layer){40, 6, 6, 48, 64, 3, 1, 1});
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_product_edges), cmocka_unit_test(test_product_blocks),
      cmocka_unit_test(test_product_empty), cmocka_unit_test(test_row_alone),
      cmocka_unit_test(test_layers),        cmocka_unit_test(test_blocks),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
