/* .npy: round trips of every type and rank, NumPy's own files, damage. */
#include <unistd.h>

#include "corpus.h"
#include "io/npy.h"

static const char path[] = "few_test.npy";

static few_status parse_and_free(few_ctx *ctx, const char *place, const void *bytes, size_t n) {
  struct few_npy a;
  few_status st = few__npy_parse(ctx, &a, place, bytes, n);
  few__npy_free(ctx, &a);
  return st;
}

static void test_round_trip(void **state) {
  (void)state;
  static const enum few_store stores[] = {FEW_STORE_BOOL, FEW_STORE_U8,  FEW_STORE_I8,
                                          FEW_STORE_I16,  FEW_STORE_I32, FEW_STORE_I64,
                                          FEW_STORE_F16,  FEW_STORE_F32, FEW_STORE_F64};
  static const struct {
    int rank;
    int64_t dim[8];
  } shapes[] = {{0, {0}},    {1, {5}},          {1, {0}},
                {2, {3, 2}}, {4, {1, 2, 3, 4}}, {8, {1, 1, 2, 1, 1, 2, 1, 2}}};
  few_ctx *ctx = test_ctx();
  char data[24 * 8];
  for (size_t i = 0; i < sizeof data; i++) data[i] = (char)(i * 37);
  for (int s = 0; s < FEW_COUNT(stores); s++) {
    for (int k = 0; k < FEW_COUNT(shapes); k++) {
      struct few_npy a;
      assert_ok(ctx, few__npy_write(ctx, path, stores[s], shapes[k].rank, shapes[k].dim, data));
      assert_ok(ctx, few__npy_read(ctx, &a, path, 1 << 16));
      assert_int_equal(a.store, stores[s]);
      assert_int_equal(a.rank, shapes[k].rank);
      for (int i = 0; i < a.rank; i++) assert_int_equal(a.dim[i], shapes[k].dim[i]);
      assert_int_equal(a.bytes, (size_t)a.count * few__store_size(a.store));
      assert_memory_equal(a.data, data, a.bytes);
      few__npy_free(ctx, &a);
    }
  }
  few_ctx_free(ctx);
}

static void test_damage(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  const float x[6] = {0};
  int64_t dim[2] = {2, 3};
  char *bytes;
  size_t n;
  assert_ok(ctx, few__npy_write(ctx, path, FEW_STORE_F32, 2, dim, x));
  assert_ok(ctx, few__file_read(ctx, &bytes, &n, path, 1 << 16));
  assert_int_equal(n, 128 + sizeof x);
  corpus_truncate(ctx, parse_and_free, bytes, n);
  corpus_flip(ctx, parse_and_free, bytes, n);
  few__free(ctx, bytes);
  unlink(path);
  corpus_check(ctx, "npy", parse_and_free);
  few_ctx_free(ctx);
}

static void test_refusals(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_npy a;
  int64_t dim[1] = {-1};
  assert_int_equal(few__npy_read(ctx, &a, FEW_TEST_DIR "/io/data/npy/n_fortran.npy", 1 << 16),
                   FEW_E_UNSUPPORTED);
  assert_non_null(strstr(few_error(ctx), "ascontiguousarray"));
  assert_int_equal(few__npy_read(ctx, &a, FEW_TEST_DIR "/io/data/npy/n_big_endian.npy", 1 << 16),
                   FEW_E_UNSUPPORTED);
  assert_int_equal(few__npy_write(ctx, path, FEW_STORE_BF16, 0, NULL, &a), FEW_E_INVALID);
  assert_int_equal(few__npy_write(ctx, path, FEW_STORE_F32, 1, dim, &a), FEW_E_INVALID);
  assert_false(few__path_exists(path));
  few_ctx_free(ctx);
}

static void test_numpy_values(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_npy a;
  float x[6];
  assert_ok(ctx, few__npy_read(ctx, &a, FEW_TEST_DIR "/io/data/npy/y_f2.npy", 1 << 16));
  assert_int_equal(a.count, 6);
  few__store_to_f32(a.store, a.data, 6, x);
  for (int i = 0; i < 6; i++) assert_true(x[i] == (float)i / 2);
  few__npy_free(ctx, &a);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_trip),
      cmocka_unit_test(test_damage),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_numpy_values),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
