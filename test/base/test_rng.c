/* Philox gives its published vectors, normals have the distribution that erfc gives, permutations
 * contain every index once. */
#include "testing.h"

#include "base/rng.h"

static void test_known_answer(void **state) {
  (void)state;
  /* Random123's kat_vectors: philox4x32 10, counter and key zero. */
  uint32_t w[4];
  few__rng_block(&(struct few_rng){0}, 0, w);
  assert_int_equal(w[0], 0x6627e8d5u);
  assert_int_equal(w[1], 0xe169c58du);
  assert_int_equal(w[2], 0xbc57ac4cu);
  assert_int_equal(w[3], 0x9b00dbd8u);
}

static void test_normal_inverts_cdf(void **state) {
  (void)state;
  for (uint64_t u = 0; u <= 0xffffffffu; u += 0x10001u * 97) {
    double p = few__uniform_from_u32((uint32_t)u), z = few__normal_from_u32((uint32_t)u);
    double back = 0.5 * erfc(-z / sqrt(2.0));
    assert_close(back, p, 1e-13);
  }
  assert_true(few__normal_from_u32(0) > -6.4 && few__normal_from_u32(0) < -6.2);
  assert_close(few__normal_from_u32(0), -few__normal_from_u32(0xffffffffu), 1e-6);
}

static void test_moments_and_independence(void **state) {
  (void)state;
  enum { N = 4096 };
  static float x[N], y[N];
  struct few_rng r = {.seed = 7, .step = 3, .row = 5, .purpose = FEW_RNG_NOISE};
  few__rng_normal_f32(&r, N, x);
  r.row = 6;
  few__rng_normal_f32(&r, N, y);
  double mx = 0, vx = 0, cxy = 0;
  for (int i = 0; i < N; i++) {
    mx += x[i];
    vx += (double)x[i] * x[i];
    cxy += (double)x[i] * y[i];
  }
  double s = 1 / sqrt((double)N); /* five standard errors */
  assert_close(mx / N, 0, 5 * s);
  assert_close(vx / N, 1, 5 * s * sqrt(2.0));
  assert_close(cxy / N, 0, 5 * s);
}

static void test_permutation(void **state) {
  (void)state;
  for (int64_t n = 1; n < 400; n = n * 3 + 1) {
    char *seen = calloc((size_t)n, 1);
    for (int64_t i = 0; i < n; i++) {
      int64_t p = few__rng_permute(9, 2, i, n);
      assert_true(p >= 0 && p < n && !seen[p]);
      seen[p] = 1;
    }
    free(seen);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_known_answer),
      cmocka_unit_test(test_normal_inverts_cdf),
      cmocka_unit_test(test_moments_and_independence),
      cmocka_unit_test(test_permutation),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
