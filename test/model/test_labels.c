/* The labels of samples. In the series the number of each class follows its share. The label of a
 * sample does not depend on where a part of the series begins. */
#include "testing.h"

#include "model/labels.h"

enum { MAX = 4000 };

static few_ctx *ctx;

static void series(const int64_t *count, int64_t classes, int64_t first, int64_t n, int32_t *out) {
  assert_ok(ctx, few__labels(ctx, &(struct few_shares){classes, count}, first, n, out));
}

/* Assigns the samples one by one, each to the class with the largest c/(2 m + 1). */
static void seats(const int64_t *count, int64_t classes, int64_t n, int32_t *out) {
  int64_t taken[16] = {0};
  for (int64_t i = 0; i < n; i++) {
    int64_t best = 0;
    for (int64_t k = 1; k < classes; k++)
      if (count[k] * (2 * taken[best] + 1) > count[best] * (2 * taken[k] + 1)) best = k;
    taken[best]++;
    out[i] = (int32_t)best;
  }
}

static void test_shares(void **state) {
  FEW_UNUSED(state);
  static const int64_t counts[][3] = {{1351, 116, 33}, {1, 1, 1}, {7, 0, 3}, {5, 5, 4}, {1, 0, 0}};
  int32_t got[MAX], want[MAX];
  for (int c = 0; c < FEW_COUNT(counts); c++) {
    const int64_t *count = counts[c], total = count[0] + count[1] + count[2];
    int64_t seen[3] = {0};
    series(count, 3, 0, MAX, got);
    seats(count, 3, MAX, want);
    for (int64_t i = 0; i < MAX; i++) {
      assert_int_equal(got[i], want[i]);
      seen[got[i]]++;
      for (int k = 0; k < 3; k++) {
        const double share = (double)(i + 1) * (double)count[k] / (double)total;
        assert_true(fabs((double)seen[k] - share) < 1);
        if ((i + 1) % total == 0) assert_int_equal(seen[k], (i + 1) / total * count[k]);
      }
    }
  }
}

static void test_even(void **state) {
  FEW_UNUSED(state);
  static const int64_t same[] = {6000, 6000, 6000, 6000, 6000}, some[] = {3, 0, 9};
  int64_t even[3];
  int32_t got[100];
  for (int known = 0; known < 2; known++) {
    series(known ? same : NULL, 5, 1000007, 100, got);
    for (int i = 0; i < 100; i++) assert_int_equal(got[i], (1000007 + i) % 5);
  }
  few__labels_even(&(struct few_shares){3, some}, even);
  series(even, 3, 0, 100, got);
  for (int i = 0; i < 100; i++) assert_int_equal(got[i], i % 2 * 2);
}

/* Any part of the series, also far from its start and for counts of 31 bits. */
static void test_parts(void **state) {
  FEW_UNUSED(state);
  static const int64_t small[] = {90, 8, 2, 0, 17};
  static const int64_t large[] = {INT32_MAX, 1, INT32_MAX - 1, 12345, 0};
  const int64_t total = 2 * (int64_t)INT32_MAX + 12345, far = total * 1000;
  int32_t all[MAX], part[MAX];
  series(small, 5, 0, MAX, all);
  for (int first = 0; first < MAX - 100; first += 37) {
    series(small, 5, first, 100, part);
    assert_memory_equal(part, all + first, 100 * sizeof *part);
  }
  series(large, 5, 0, MAX, all);
  series(large, 5, far, MAX, part);
  assert_memory_equal(part, all, sizeof part);
  series(large, 5, total - MAX / 2, MAX, part);
  assert_memory_equal(part + MAX / 2, all, MAX / 2 * sizeof *part);
  series(large, 5, total - MAX / 4, MAX / 4, all);
  assert_memory_equal(part + MAX / 4, all, MAX / 4 * sizeof *part);
}

static void test_one_class(void **state) {
  FEW_UNUSED(state);
  int32_t one;
  series((const int64_t[]){4}, 1, (int64_t)1 << 40, 1, &one);
  assert_int_equal(one, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_shares), cmocka_unit_test(test_even),
                                     cmocka_unit_test(test_parts),
                                     cmocka_unit_test(test_one_class)};
  ctx = test_ctx();
  const int failed = cmocka_run_group_tests(tests, NULL, NULL);
  few_ctx_free(ctx);
  return failed;
}
