/* The search finds known minima, with as many evaluations as golden sections take. */
#include "testing.h"

#include "diffusion/sampler/search.h"

struct valley {
  int calls, fail_at, hole_at;
};

/* A function whose best times are 0.7, then 0.31, then each half of the one before. */
static few_status value(void *user, int n, const double *t, double *out) {
  struct valley *v = user;
  assert_true(t[0] == 1.5);
  for (int i = 1; i < n; i++) assert_true(t[i] < t[i - 1] && t[i] > 0.01);
  if (++v->calls == v->fail_at) return FEW_E_CANCELLED;
  const double want = n == 2 ? 0.7 : n == 3 ? 0.31 : n > 3 ? t[n - 2] / 2 : 0;
  *out = v->calls == v->hole_at ? (double)NAN : 10.0 / n + fabs(t[n - 1] - want);
  return FEW_OK;
}

static struct few_search search(struct valley *v) {
  return (struct few_search){
      .steps = 4, .first = 1.5, .last = 0.01, .tolerance = 1e-3, .value = value, .user = v};
}

static void test_finds_minima(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct valley v = {0};
  struct few_search s = search(&v);
  double t[4], values[4];
  assert_ok(ctx, few__search_times(ctx, &s, t, values));
  assert_close(t[1], 0.7, 1e-3);
  assert_close(t[2], 0.31, 1e-3);
  assert_close(t[3], t[2] / 2, 1e-3);
  assert_true(values[0] == 10 + 1.5);
  for (int i = 1; i < 4; i++) assert_close(values[i], 10.0 / (i + 1), 1e-3);
  assert_int_equal(s.evals, v.calls);
  /* From the second evaluation on each shrinks the range, 1.5, by 0.618, down to 0.001. For three
   * times that makes 1 + 3 (1 + log(1500)/log(1.618) + 1) evaluations. */
  assert_true(s.evals <= 1 + 3 * (2 + 16));
  for (int i = 0; i < 4; i++) assert_true(t[i] == nearbyint(t[i] * 1e5) / 1e5);
  s.steps = 1;
  assert_ok(ctx, few__search_times(ctx, &s, t, NULL));
  assert_int_equal(s.evals, 1);
  few_ctx_free(ctx);
}

static void test_failures(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  double t[4];
  for (int at = 1; at < 10; at++) {
    struct valley v = {.fail_at = at}, w = {.hole_at = at};
    struct few_search s = search(&v), h = search(&w);
    assert_int_equal(few__search_times(ctx, &s, t, NULL), FEW_E_CANCELLED);
    assert_int_equal(few__search_times(ctx, &h, t, NULL), FEW_E_INVALID);
  }
  struct valley v = {0};
  struct few_search s = search(&v);
  s.last = 1.49999; /* leaves no room for another time */
  assert_int_equal(few__search_times(ctx, &s, t, NULL), FEW_E_INVALID);
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_finds_minima),
      cmocka_unit_test(test_failures),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
