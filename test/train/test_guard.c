/* The decisions of the guard: a value that is not finite is trouble at once; a single spike is
 * skipped; several spikes in a row are trouble; and the usual norm follows slow growth. */
#include "testing.h"

#include "train/guard.h"

static struct few_train_keys keys(void) {
  struct few_train_keys k = {.guard_spike = 10, .guard_patience = 3, .guard_retries = 2};
  return k;
}

/* Returns the state after n steps with gradient norms of about 1. */
static struct few_run_state experienced(const struct few_train_keys *k, int n) {
  struct few_run_state s = {.lr_factor = 1, .stretch = 1};
  for (int i = 0; i < n; i++, s.updates++)
    assert_int_equal(few__guard_look(&s, k, 0.5, i % 2 ? 0.8 : 1.25), FEW_GUARD_FINE);
  return s;
}

static void test_not_finite(void **state) {
  (void)state;
  struct few_train_keys k = keys();
  struct few_run_state s = experienced(&k, 0);
  assert_int_equal(few__guard_look(&s, &k, NAN, 1), FEW_GUARD_TROUBLE);
  assert_int_equal(few__guard_look(&s, &k, INFINITY, 1), FEW_GUARD_TROUBLE);
  assert_int_equal(few__guard_look(&s, &k, 1, NAN), FEW_GUARD_TROUBLE);
  assert_int_equal(few__guard_look(&s, &k, 1, INFINITY), FEW_GUARD_TROUBLE);
}

static void test_spikes(void **state) {
  (void)state;
  struct few_train_keys k = keys();
  struct few_run_state s = experienced(&k, 100);
  assert_int_equal(few__guard_look(&s, &k, 0.5, 50), FEW_GUARD_SPIKE);
  assert_int_equal(few__guard_look(&s, &k, 0.5, 1),
                   FEW_GUARD_FINE); /* a single spike has no consequence */
  assert_int_equal(few__guard_look(&s, &k, 0.5, 50), FEW_GUARD_SPIKE);
  assert_int_equal(few__guard_look(&s, &k, 0.5, 50), FEW_GUARD_SPIKE);
  assert_int_equal(few__guard_look(&s, &k, 0.5, 50), FEW_GUARD_TROUBLE);
  s = experienced(&k, 10); /* after few steps nothing is a spike */
  assert_int_equal(few__guard_look(&s, &k, 0.5, 50), FEW_GUARD_FINE);
}

static void test_slow_growth_is_usual(void **state) {
  (void)state;
  struct few_train_keys k = keys();
  struct few_run_state s = experienced(&k, 100);
  double norm = 1;
  for (int i = 0; i < 400; i++, norm *= 1.02)
    assert_int_equal(few__guard_look(&s, &k, 0.5, norm), FEW_GUARD_FINE);
  assert_true(norm > 1000);
}

static void test_retries_are_bounded(void **state) {
  (void)state;
  few_ctx *ctx = test_ctx();
  struct few_train_keys k = keys();
  struct few_run_state s = {.lr_factor = 1, .stretch = 1, .spikes = 3};
  for (int64_t r = 1; r <= 2; r++) {
    assert_ok(ctx, few__guard_retry(ctx, &s, &k, r, 77, "loss is not finite"));
    assert_close(s.lr_factor, r == 1 ? 0.5 : 0.25, 0);
    assert_close(s.stretch, r == 1 ? 2 : 4, 0);
    assert_int_equal(s.spikes, 0);
  }
  assert_int_equal(few__guard_retry(ctx, &s, &k, 3, 77, "loss is not finite"), FEW_E_DIVERGED);
  assert_non_null(strstr(few_error(ctx), "step 77"));
  few_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_not_finite),
      cmocka_unit_test(test_spikes),
      cmocka_unit_test(test_slow_growth_is_usual),
      cmocka_unit_test(test_retries_are_bounded),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
