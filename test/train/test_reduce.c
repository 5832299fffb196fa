/* A sum is computed in a fixed tree, so its bits do not depend on the order in which shards are
 * added.
 * */
#include "testing.h"
#include "train/reduce.h"

enum { N = 37, MOST = 21 };

static float value(int64_t shard, int i) {
  return (float)sin(1.3 * (double)shard + 0.7 * i) * (float)(1 + shard % 5);
}

/* The definition of the tree: adjacent values are added; a value without a partner moves up
 * unchanged. */
static float expected(int64_t shards, int i) {
  float v[MOST];
  for (int64_t s = 0; s < shards; s++) v[s] = value(s, i);
  for (int64_t width = shards; width > 1; width = (width + 1) / 2)
    for (int64_t k = 0; k < (width + 1) / 2; k++)
      v[k] = 2 * k + 1 < width ? v[2 * k] + v[2 * k + 1] : v[2 * k];
  return v[0];
}

static void test_any_order(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  const struct few_arrays arrays = {.ctx = ctx}; /* the host */
  for (int64_t shards = 1; shards <= MOST; shards++) {
    few_reduction *r;
    assert_ok(ctx,
              few__reduce_create(&r, &arrays, N, shards, (int)shards)); /* a buffer per shard */
    for (int64_t stride = 1; stride < 6; stride++) {
      few__reduce_begin(r);
      bool done[MOST] = {0};
      int64_t s = shards - 1;
      for (int64_t k = 0; k < shards; k++, s = (s + stride) % shards) {
        while (done[s]) s = (s + 1) % shards;
        done[s] = true;
        float *b = few__reduce_take(r);
        assert_true(b[0] == b[0] && b[N - 1] == b[N - 1]); /* no uninitialised memory (NaN) */
        for (int i = 0; i < N; i++) b[i] = value(s, i);
        few__reduce_add(r, s, b);
      }
      const float *sum = few__reduce_total(r);
      for (int i = 0; i < N; i++) {
        float want = expected(shards, i);
        assert_memory_equal(&sum[i], &want, sizeof want);
      }
    }
    few__reduce_free(r);
  }
  few_ctx_free(ctx);
}

/* Gaps between gradients stay 0 from step to step. */
static void test_gaps(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  const struct few_arrays arrays = {.ctx = ctx}; /* the host */
  few_reduction *r;
  assert_ok(ctx, few__reduce_create(&r, &arrays, N, 3, 2));
  for (int step = 0; step < 4; step++) {
    few__reduce_begin(r);
    for (int64_t s = 0; s < 3; s++) {
      float *b = few__reduce_take(r);
      for (int i = 0; i < N; i += 2) b[i] = 1;
      few__reduce_add(r, s, b);
    }
    for (int i = 0; i < N; i++) assert_close(few__reduce_total(r)[i], i % 2 ? 0 : 3, 0);
  }
  few__reduce_free(r);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_any_order), cmocka_unit_test(test_gaps)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
