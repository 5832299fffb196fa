/* The sum of a tree is that of its fixed order, whatever order the shards come in. */
#include "testing.h"
#include "train/tree.h"

enum { N = 37, MOST = 21 };

static float value(int64_t shard, int i) {
  return (float)sin(1.3 * (double)shard + 0.7 * i) * (float)(1 + shard % 5);
}

/* The tree by its definition: neighbours are added, an odd one out passes upwards. */
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
  const struct few_space space = {.ctx = ctx}; /* the host */
  for (int64_t shards = 1; shards <= MOST; shards++) {
    few_tree *t;
    assert_ok(ctx, few__tree_create(&space, &t, N, shards, (int)shards)); /* all at once */
    for (int64_t stride = 1; stride < 6; stride++) {
      few__tree_begin(t);
      bool done[MOST] = {0};
      int64_t s = shards - 1;
      for (int64_t k = 0; k < shards; k++, s = (s + stride) % shards) {
        while (done[s]) s = (s + 1) % shards;
        done[s] = true;
        float *b = few__tree_take(t);
        assert_true(b[0] == b[0] && b[N - 1] == b[N - 1]); /* no memory that nobody wrote */
        for (int i = 0; i < N; i++) b[i] = value(s, i);
        few__tree_add(t, s, b);
      }
      const float *sum = few__tree_total(t);
      for (int i = 0; i < N; i++) {
        float want = expected(shards, i);
        assert_memory_equal(&sum[i], &want, sizeof want);
      }
    }
    few__tree_free(t);
  }
  few_ctx_free(ctx);
}

/* Places between gradients stay 0 from step to step. */
static void test_gaps(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  const struct few_space space = {.ctx = ctx}; /* the host */
  few_tree *t;
  assert_ok(ctx, few__tree_create(&space, &t, N, 3, 2));
  for (int step = 0; step < 4; step++) {
    few__tree_begin(t);
    for (int64_t s = 0; s < 3; s++) {
      float *b = few__tree_take(t);
      for (int i = 0; i < N; i += 2) b[i] = 1;
      few__tree_add(t, s, b);
    }
    for (int i = 0; i < N; i++) assert_close(few__tree_total(t)[i], i % 2 ? 0 : 3, 0);
  }
  few__tree_free(t);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_any_order), cmocka_unit_test(test_gaps)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
