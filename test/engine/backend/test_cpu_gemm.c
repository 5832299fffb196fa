/* Matrix products of the CPU backend against ref's f64, with shapes near the sizes of tiles and
 * blocks. */
#include "cpu_test.h"

/* A sum of k products rounds at most 2 k times (without fused multiply-adds), by half an
 * epsilon. */
static void check(int64_t count, int64_t m, int64_t n, int64_t k, int ta, int tb, bool shared) {
  struct op_call c = matmul_call(count, m, n, k, ta, tb, shared);
  double *x[2], *absolute[2];
  for (int i = 0; i < 2; i++) {
    const int64_t size = count_of(c.shape[i]);
    x[i] = random_array((uint64_t)(1 + i), size);
    absolute[i] = new_array(size);
    for (int64_t j = 0; j < size; j++) absolute[i][j] = fabs(x[i][j]);
    c.in[i] = absolute[i];
  }
  double *magnitude = apply(&c);
  for (int i = 0; i < 2; i++) c.in[i] = x[i];
  double *y = apply(&c);
  check_cpu(&c, y, magnitude, (double)k + 1);
  for (int i = 0; i < 2; i++) {
    free(x[i]);
    free(absolute[i]);
  }
  free(y);
  free(magnitude);
}

static const int64_t edges[] = {1, 2, 3, 5, 6, 7, 13, 14, 15, 16, 17, 29, 31, 32, 33, 48, 65, 113};

static void test_edges(void **state) {
  (void)state;
  for (int i = 0; i < 400; i++) {
    const int64_t m = edges[pick(1, 3 * i, FEW_COUNT(edges))];
    const int64_t n = edges[pick(1, 3 * i + 1, FEW_COUNT(edges))];
    const int64_t k = edges[pick(1, 3 * i + 2, FEW_COUNT(edges))];
    const int ta = i & 1, tb = i >> 1 & 1;
    check(1 + i % 3, m, n, k, ta, tb, !ta && (i >> 2 & 1));
  }
}

static void test_blocks(void **state) {
  (void)state;
  for (int t = 0; t < 4; t++) {
    check(1, 113, 65, 257, t & 1, t >> 1, false);
    check(1, 29, 387, 515, t & 1, t >> 1, false);
    check(2, 15, 800, 300, t & 1, t >> 1, false);
    check(1, 1000, 3, 100, t & 1, t >> 1, false);
  }
  check(3, 120, 40, 300, 0, 0, true);
  check(3, 120, 40, 300, 0, 1, true);
}

static void test_empty(void **state) {
  (void)state;
  check(1, 5, 7, 0, 0, 0, false);
  check(1, 0, 7, 3, 0, 0, false);
  check(1, 5, 0, 3, 1, 1, false);
  check(0, 5, 4, 3, 0, 0, true);
}

/* A row has the same bits in a product of few rows and in one of many. */
static void test_row_alone(void **state) {
  (void)state;
  enum { M = 37, N = 50, K = 300 };
  double *a = random_array(1, M * K), *b = random_array(2, K * N);
  FOR_EACH_ISA(isa) for (int tb = 0; tb < 2; tb++) {
    struct op_call all = matmul_call(1, M, N, K, 0, tb, true),
                   one = matmul_call(1, 1, N, K, 0, tb, true);
    all.in[0] = a;
    all.in[1] = one.in[1] = b;
    double *y = apply_cpu(isa, &all);
    for (int64_t i = 0; i < M; i++) {
      one.in[0] = a + i * K;
      double *row = apply_cpu(isa, &one);
      assert_memory_equal(row, y + i * N, N * sizeof *row);
      free(row);
    }
    free(y);
  }
  free(a);
  free(b);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_edges),
      cmocka_unit_test(test_blocks),
      cmocka_unit_test(test_empty),
      cmocka_unit_test(test_row_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
